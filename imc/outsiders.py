"""Workers of the site's own that are shut out, by all collectors of the pool, until somebody lets them in again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from prominence.core.errors import NotFound
from prominence.imc.condor_text import Outsider
from prominence.imc.ports import Pool
from prominence.imc.records import Records
from prominence.imc.sharing import Shared, Sides


def merged(lists: Iterable[Sequence[Outsider]]) -> list[Outsider]:
    """Of each name what was said last; of two things that were said at once that it is shut out."""
    latest: dict[str, Outsider] = {}
    for entry in (entry for entries in lists for entry in entries):
        before = latest.setdefault(entry.name, entry)
        latest[entry.name] = max(before, entry, key=lambda one: (one.said_at, not one.readmitted))
    return [latest[name] for name in sorted(latest)]


def names(entries: Iterable[Outsider]) -> list[str]:
    """Those that are shut out now."""
    return sorted(entry.name for entry in entries if not entry.readmitted)


def shared(records: Records, pool: Pool) -> Shared[Outsider]:
    """Who is shut out here, and by other imcs."""
    sides = Sides(pool.outsiders, pool.keep_out, records.outsiders, records.keep_outsiders, merged)
    return Shared("workers that are shut out", sides)


def shut_out(records: Records, pool: Pool, name: str, now: datetime) -> None:
    """No machine of this name is heard any more, one that has joined neither. Raises Unavailable."""
    _say(shared(records, pool), name, False, now)


def let_in(records: Records, pool: Pool, name: str, now: datetime) -> None:
    """Take that back. Raises NotFound or Unavailable."""
    everyone = shared(records, pool)
    if name not in names(everyone.all()):
        raise NotFound(f"The token of {name} was not revoked.")
    _say(everyone, name, True, now)


def _say(everyone: Shared[Outsider], name: str, readmitted: bool, now: datetime) -> None:
    """The last word, though the clock of whoever had it before be ahead of ours."""
    before = [entry.said_at for entry in everyone.all() if entry.name == name]
    said_at = max(int(now.timestamp() * 1000), *(moment + 1 for moment in before), 0)
    everyone.add([Outsider(name, said_at, readmitted)])
