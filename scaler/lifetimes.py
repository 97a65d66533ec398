"""Machines that are there for a time only: which jobs are short enough for which of them. Pure.

Of a machine no more matters than which of the jobs that wait it can still take. So it counts as good for the longest
walltime of these that fits: its time runs on, and that changes seldom. Where no machine has an end nothing is done.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from prominence.core.lifetimes import ENDS_AT, Walltimes, longest_ever, longest_now
from prominence.core.machines import Flavour
from prominence.core.snapshot import Demand, ExecutePoint
from prominence.scaler.clauses import clauses, names
from prominence.scaler.kinds import Candidate, Condition

_GOOD_FOR = "prominencegoodfor"
"""Of a machine, for our own use: the walltime."""
_NEVER_ENDS = 1 << 62
"""Of a job that tells no walltime: machines that have an end take none such."""


def matter(points: Iterable[ExecutePoint], flavours: Iterable[Flavour]) -> bool:
    """Whether there is any machine that has an end, or might be."""
    return any(point.ends_at for point in points) or any(flavour.lifetime_s for flavour in flavours)


def good_for(
    demand: Iterable[Demand],
    points: Iterable[ExecutePoint],
    flavours: Mapping[str, Flavour],
    now: datetime,
) -> dict[str, int]:
    """Of machines that have an end, by the names of these and of flavours, the longest walltime that fits; 0: none."""
    longest = {point.name: longest_now((point.ends_at - now).total_seconds()) for point in points if point.ends_at}
    longest |= {name: longest_ever(one.lifetime_s) for name, one in flavours.items() if one.lifetime_s}
    if not longest:
        return {}
    asked = [0, *sorted({one.walltime_s for one in demand if one.walltime_s})]
    return {name: asked[bisect_right(asked, walltime) - 1] for name, walltime in longest.items()}


def steps(good: Mapping[str, int]) -> tuple[int, ...]:
    """The walltimes that machines are good for, the shortest first."""
    return tuple(sorted({walltime for walltime in good.values() if walltime}))


def walltimes_of(one: Demand, all_steps: Sequence[int]) -> Walltimes:
    """Of all jobs that the same machines are good for."""
    place = bisect_left(all_steps, one.walltime_s or _NEVER_ENDS)
    up_to = all_steps[place] if place < len(all_steps) else None
    return Walltimes(all_steps[place - 1] if place else 0, up_to)


def conditions(walltimes: Walltimes, good: Mapping[str, int]) -> tuple[Condition, ...]:
    """That the machine is good for such jobs."""
    return (_condition(walltimes.over_s),) if good else ()


def is_of_time(condition: Condition) -> bool:
    """Whether it is about that."""
    return _GOOD_FOR in condition.named


@lru_cache(maxsize=4096)
def _condition(over_s: int) -> Condition:
    named = frozenset((_GOOD_FOR,))
    return Condition(f"TARGET.{_GOOD_FOR} > {over_s}", (), named, named)


def with_ends(machines: Mapping[str, Candidate], good: Mapping[str, int]) -> dict[str, Candidate]:
    """The same machines, those that have an end with what they are good for. Those that are alike are one object."""
    known: dict[tuple[int, int], Candidate] = {}
    found = dict(machines)
    for name, walltime in good.items():
        machine = machines[name]
        key = (id(machine), walltime)
        if key not in known:
            ad = tuple(sorted((*machine.ad, (_GOOD_FOR, str(walltime)))))
            known[key] = Candidate(ad, machine.known | {_GOOD_FOR})
        found[name] = known[key]
    return found


def without_end(start: str) -> str:
    """A machine's START without what it says of the machine's end: that is reckoned with here."""
    if ENDS_AT.lower() not in start.lower():
        return start
    others = [one for one in clauses(start) if ENDS_AT.lower() not in _named(one) and one.lower() != "true"]
    return " && ".join(f"({one})" for one in others) if len(others) > 1 else "".join(others) or "true"


def _named(clause: str) -> Collection[str]:
    found = names(clause)
    return found.of_job | found.of_machine | found.either


def brief(of_kinds: Mapping[int, Sequence[Condition]]) -> tuple[int, ...]:
    """Of kinds of flavours, each with what it does not meet, those that lack nothing but time."""
    return tuple(kind for kind, unmet in of_kinds.items() if unmet and all(is_of_time(one) for one in unmet))
