"""What the routes work with: one adapter for each port, chosen by main or by a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from prominence.core.keyvalue.port import KeyValue
from prominence.restapi.kv import KvLimits
from prominence.restapi.ports import Identities, JobQueue, Sandboxes
from prominence.restapi.translate.site import Site


@dataclass(frozen=True)
class Services:
    """clock: now. new_uid: a new UUID as text. remember_s: how long a request with a key is known again."""

    queue: JobQueue
    sandboxes: Sandboxes
    identities: Identities
    store: KeyValue
    site: Site
    clock: Callable[[], datetime]
    new_uid: Callable[[], str]
    kv: KvLimits = field(default=KvLimits(), kw_only=True)
    remember_s: int = field(default=86_400, kw_only=True)
