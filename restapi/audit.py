"""The audit log: who changed what, and who saw or did what was not their own affair. Lines of the service's log.

Each request that has changed something leaves one by itself; what a change was from and to, and acts on what is
others', are told where they happen. The id of the request is in all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from prominence.core import logs
from prominence.restapi.identity import Identity

log = logs.get(__name__)


def record(act: str, caller: Identity, **what: object) -> None:
    """Write it down. act: a word that stays; what: the names and ids that it is about."""
    log.info("audit", act=act, by=caller.user, token=caller.token, **what)


def size_of(value: bytes | None) -> dict[str, object] | None:
    """What is told of a value that nobody else shall see: how long it is, and by what it is known again."""
    return None if value is None else {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()[:16]}


def changed(operation: str, caller: Identity, on: Mapping[str, str]) -> None:
    """A request has changed something. operation: such as "DELETE /jobs/<job>"; on: what stood for its gaps."""
    record(operation, caller, on=dict(on))
