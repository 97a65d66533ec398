"""The audit log: who did what to whom that was not their own affair. One line each, always, in the service's log."""

from __future__ import annotations

from prominence.core import logs
from prominence.restapi.identity import Identity

log = logs.get(__name__)


def record(act: str, caller: Identity, **what: object) -> None:
    """Write it down. act: a word that stays; what: the names and ids that it is about."""
    log.info("audit", act=act, by=caller.user, token=caller.token, **what)
