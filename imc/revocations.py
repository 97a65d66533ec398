"""Which tokens are revoked, the same for all imcs of a pool: each tells the collector that is beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from prominence.core import logs
from prominence.core.errors import ProminenceError
from prominence.imc.condor_text import Revocation
from prominence.imc.ports import Pool
from prominence.imc.records import Records

log = logs.get(__name__)


def merged(lists: Iterable[Sequence[Revocation]], now: int) -> list[Revocation]:
    """All that are in any of them, the latest of each identity, without those whose tokens have run out."""
    latest: dict[str, Revocation] = {}
    for entry in (entry for entries in lists for entry in entries if entry.expires > now):
        before = latest.setdefault(entry.identity, entry)
        issued_until = max(before.issued_until, entry.issued_until)
        latest[entry.identity] = Revocation(entry.identity, issued_until, max(before.expires, entry.expires))
    return [latest[identity] for identity in sorted(latest)]


class SharedRevocations:
    """What the pool's collector here refuses, and what those of other imcs refuse."""

    def __init__(self, records: Records, pool: Pool, clock: Callable[[], datetime]) -> None:
        self._records, self._pool, self._clock = records, pool, clock
        self._trouble = ""

    def share(self) -> None:
        """Once a round, whoever leads. What cannot be done now is done in the next."""
        try:
            self._share()
            self._trouble = ""
        except ProminenceError as error:
            if str(error) != self._trouble:
                log.warning("revoked tokens are not the same everywhere yet", error=str(error))
            self._trouble = str(error)

    def _share(self) -> None:
        here = self._pool.revocations()
        known, revision = self._records.revocations()
        now = int(self._clock().timestamp())
        together = merged([here, known], now)
        if together != list(known):
            self._records.keep_revocations(together, revision)
        if together != list(here):
            self._pool.refuse(together)
