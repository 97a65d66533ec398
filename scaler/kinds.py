"""Conditions that jobs set, and which machines meet which: machines that meet the same ones are of one kind. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from prominence.core import classads
from prominence.core.snapshot import Ad
from prominence.scaler.clauses import LONGEST, clauses, is_of_size, names

Evaluate = Callable[[str, Ad, Ad], bool]
"""Whether an expression of the first ad is true when it meets the second. Never raises: what cannot be read is not."""

_MOST_JOBS = 20_000
_REQUIREMENTS, _START = classads.REQUIREMENTS.lower(), classads.START.lower()
_PLACES = frozenset(name.lower() for name in classads.PLACEMENT)


class Condition(NamedTuple):
    """A part of what jobs require, with the attributes of theirs that it is about.

    named: attributes of the machine that it names; machine: with those that the job's attributes name. start: it is the
    START of machines that have this one, and required by them.
    """

    clause: str
    job: Ad
    named: frozenset[str]
    machine: frozenset[str]
    start: bool = False


class Candidate(NamedTuple):
    """A machine that is or may be: its ad, and the names of which is known whether and what they are there."""

    ad: Ad
    known: frozenset[str]


class Table:
    """Which conditions machines meet. Those that meet the same ones are of one kind.

    machines: by any names, those that are and those that may be.
    """

    def __init__(
        self, meets: Evaluate, required: Iterable[Iterable[Condition]], machines: Mapping[str, Candidate]
    ) -> None:
        self._meets = meets
        asked = list(dict.fromkeys(condition for some in required for condition in some))
        names = frozenset(name for condition in asked for name in condition.machine) | {_START}
        # Thousands of machines are a few objects: to compare these is much quicker than to compare what is in them.
        alike = {id(machine): machine for machine in machines.values()}
        short = {number: _short(machine, names) for number, machine in alike.items()}
        answers = {machine: [self._holds(c, machine) for c in asked] for machine in dict.fromkeys(short.values())}
        # What all machines meet makes no difference.
        kept = sorted(number for number in range(len(asked)) if not all(row[number] for row in answers.values()))
        kept.sort(key=lambda number: asked[number][:2])
        self._columns = {asked[number]: column for column, number in enumerate(kept)}
        rows = {machine: tuple(row[number] for number in kept) for machine, row in answers.items()}
        self._kinds = sorted(set(rows.values()))
        numbers = {row: kind for kind, row in enumerate(self._kinds)}
        kinds = {number: numbers[rows[machine]] for number, machine in short.items()}
        self._kind_of = {name: kinds[id(machine)] for name, machine in machines.items()}

    def kind(self, name: str) -> int:
        """The number of the kind of the machine that has this name."""
        return self._kind_of[name]

    def kinds(self, required: Iterable[Condition]) -> tuple[int, ...] | None:
        """Those that meet all of these; None: all do."""
        columns = [self._columns[condition] for condition in required if condition in self._columns]
        if not columns:
            return None
        return tuple(kind for kind, row in enumerate(self._kinds) if all(row[column] for column in columns))

    def unmet(self, required: Iterable[Condition], kind: int) -> list[Condition]:
        """Of these what machines of this kind do not meet."""
        row = self._kinds[kind]
        return [one for one in required if one in self._columns and not row[self._columns[one]]]

    def _holds(self, condition: Condition, machine: Candidate) -> bool:
        if condition.start:
            if start_of(machine) != condition.clause:
                return True
            return self._meets(f"({condition.clause}) =!= false", machine.ad, condition.job)
        if not condition.named <= machine.known:
            return True
        about = tuple(item for item in machine.ad if item[0] in condition.machine)
        return self._meets(condition.clause, condition.job, about)


def _short(machine: Candidate, names: Collection[str]) -> Candidate:
    """What of it matters: so that thousands of machines are a few."""
    return Candidate(tuple(item for item in machine.ad if item[0] in names), machine.known.intersection(names))


@lru_cache(maxsize=_MOST_JOBS)
def conditions(ad: Ad, starts: frozenset[str] = frozenset()) -> tuple[Condition, ...]:
    """What a job with this ad requires, besides size and place. starts: START of machines that may take it or not."""
    job = {name.lower(): text for name, text in ad if name.lower() not in _PLACES}
    requirements = job.pop(_REQUIREMENTS, "")
    if len(requirements) > LONGEST:
        return ()
    found = [_condition(clause, job) for clause in clauses(requirements) if clause and not is_of_size(clause)]
    found += [
        Condition(start, _about(names(start).of_machine | names(start).either, job)[0], frozenset(), frozenset(), True)
        for start in sorted(starts)
    ]
    return tuple(found)


def start_of(machine: Candidate) -> str:
    """Which jobs it takes; "" for any."""
    text = dict(machine.ad).get(_START, "true")
    return "" if text.lower() == "true" or len(text) > LONGEST else text


def _condition(clause: str, job: Mapping[str, str]) -> Condition:
    named = names(clause)
    of_machine = named.of_machine | (named.either - job.keys())
    about, further = _about(named.of_job | named.either, job)
    return Condition(clause, about, of_machine, of_machine | further)


def _about(named: Collection[str], job: Mapping[str, str]) -> tuple[Ad, frozenset[str]]:
    """The attributes of the job that are named, and those that they name; and what these name of machines."""
    found: dict[str, str] = {}
    of_machine: set[str] = set()
    waiting = list(named)
    while waiting:
        name = waiting.pop()
        if name in job and name not in found:
            found[name] = job[name]
            further = names(job[name])
            waiting += further.of_job | further.either
            of_machine |= further.of_machine | (further.either - job.keys())
    return tuple(sorted(found.items())), frozenset(of_machine)
