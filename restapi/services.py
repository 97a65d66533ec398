"""What the routes work with: one adapter for each port, chosen by main or by a test."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prominence.core.keyvalue.port import KeyValue
from prominence.restapi.budgets.accounts import Budgets
from prominence.restapi.health.ports import Vitals
from prominence.restapi.kv import KvLimits
from prominence.restapi.limits import Limits
from prominence.restapi.meter import Meter
from prominence.restapi.orders import Desk
from prominence.restapi.ports import (
    Archive,
    Identities,
    JobQueue,
    JobTokens,
    Machines,
    ObjectStore,
    Sandboxes,
    ServedObjects,
    UsageStore,
    WorkerTokens,
)
from prominence.restapi.recently import Recently
from prominence.restapi.token_records import TokenLimits, TokenRecord
from prominence.restapi.translate.site import Site
from prominence.restapi.turns import Queued, Requests
from prominence.restapi.webhooks.records import Webhooks

RUNNING_IS_GOOD_FOR = timedelta(seconds=5)
"""For so long the token of a job that has ended may still be good."""


@dataclass(frozen=True)
class Services:
    """clock: now. new_uid: a new UUID as text. sign: the token of a record.

    desk: where running jobs get orders. remember_s: how long a request with a key is known again.
    most_waiting: requests that may wait for news at once. addresses: by user, the email addresses that the operator
    names; None where no message can be sent. webhooks: None where none is called.
    worker_tokens: None where no machines of users may join. served: the object store, where the API serves its content
    itself. accounts: by which budgets are reckoned, where usage is looked up elsewhere. running: jobs that were found
    to run, by uid. vitals: how the parts are asked how they are. meter: who counts requests.
    """

    queue: JobQueue
    archive: Archive
    sandboxes: Sandboxes
    identities: Identities
    store: KeyValue
    site: Site
    clock: Callable[[], datetime]
    new_uid: Callable[[], str]
    objects: ObjectStore
    job_tokens: JobTokens
    usage: UsageStore = field(kw_only=True)
    accounts: UsageStore | None = field(default=None, kw_only=True)
    machines: Machines = field(kw_only=True)
    vitals: Vitals = field(kw_only=True)
    desk: Desk = field(kw_only=True)
    sign: Callable[[TokenRecord], str] = field(kw_only=True)
    token_limits: TokenLimits = field(default=TokenLimits(), kw_only=True)
    requests: Requests = field(default_factory=lambda: Requests(0, 0, time.monotonic), kw_only=True)
    queued: Queued = field(default_factory=lambda: Queued(0, lambda user, most: 0, time.monotonic), kw_only=True)
    kv: KvLimits = field(default=KvLimits(), kw_only=True)
    remember_s: int = field(default=86_400, kw_only=True)
    limits: Limits = field(default=Limits(), kw_only=True)
    most_waiting: int = field(default=100, kw_only=True)
    served: ServedObjects | None = field(default=None, kw_only=True)
    addresses: Mapping[str, str] | None = field(default=None, kw_only=True)
    webhooks: Webhooks | None = field(default=None, kw_only=True)
    worker_tokens: WorkerTokens | None = field(default=None, kw_only=True)
    meter: Meter = field(default_factory=Meter, kw_only=True)
    budgets: Budgets = field(default_factory=Budgets, kw_only=True)
    running: Recently = field(default_factory=lambda: Recently(RUNNING_IS_GOOD_FOR), kw_only=True)
