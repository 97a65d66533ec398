"""Which tokens are revoked, the same for all imcs of a pool: each tells the collector that is beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from prominence.imc.condor_text import Revocation
from prominence.imc.ports import Pool
from prominence.imc.records import Records
from prominence.imc.sharing import Shared, Sides


def merged(lists: Iterable[Sequence[Revocation]], now: int) -> list[Revocation]:
    """All that are in any of them, the latest of each identity, without those whose tokens have run out."""
    latest: dict[str, Revocation] = {}
    for entry in (entry for entries in lists for entry in entries if entry.expires > now):
        before = latest.setdefault(entry.identity, entry)
        issued_until = max(before.issued_until, entry.issued_until)
        latest[entry.identity] = Revocation(entry.identity, issued_until, max(before.expires, entry.expires))
    return [latest[identity] for identity in sorted(latest)]


def shared(records: Records, pool: Pool, clock: Callable[[], datetime]) -> Shared[Revocation]:
    """What the pool's collector here refuses, and what those of other imcs refuse."""

    def merged_now(lists: Iterable[Sequence[Revocation]]) -> list[Revocation]:
        return merged(lists, int(clock().timestamp()))

    sides = Sides(pool.revocations, pool.refuse, records.revocations, records.keep_revocations, merged_now)
    return Shared("revoked tokens", sides)
