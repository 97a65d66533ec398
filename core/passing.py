"""What jobs of a workflow pass to each other: of which instances it is, where it lands, and what cannot be. Pure.

Who is passed something waits for who passes it. Of two jobs with the same instances each instance is passed what the
one of its number has kept, and waits for that one alone; otherwise it is passed what all instances have kept. What runs
at the end waits for all others anyway, and is passed what is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from prominence.core.errors import Mistake
from prominence.core.files import HomePath, Passed
from prominence.core.job import JobSpec
from prominence.core.substitution import any_value
from prominence.core.workflow import WorkflowSpec

MOST_COMPARED = 200_000
"""Outputs with what is selected of them, in one workflow: to compare more would take seconds of a request."""

_SHOWN = 5
_LONGEST_PART = 255
_SPECIAL = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Passing:
    """How one job passes something to another. giver: the number of the one that passes it, among the jobs.

    instances: how many that one has; in_pairs: of which each instance is passed its own only. numbered: whether each
    has a directory of its own; directory: that all of it goes into, "" for the home.
    """

    passed: Passed
    giver: int
    instances: int
    in_pairs: bool
    numbered: bool
    directory: str


def passings(spec: WorkflowSpec, job: JobSpec) -> tuple[Passing, ...]:
    """All by which a job is passed something, in the order of its artifacts. No name in it is unknown."""
    ways = _Ways(spec) if job.passed else None
    return tuple(ways.way(job, passed) for passed in job.passed) if ways is not None else ()


def problems(spec: WorkflowSpec) -> Iterator[Mistake]:
    """What is wrong with what its jobs pass to each other."""
    ways, left = _Ways(spec), MOST_COMPARED
    for taken in _all_taken(spec):
        nobody = _giver_is_wrong(taken, spec, ways)
        if nobody is not None:
            yield Mistake(f"{taken.path}.from", nobody)
            continue
        way = ways.way(taken.job, taken.passed)
        giver = spec.jobs[way.giver]
        left -= len(giver.outputFiles) + len(giver.outputDirs) + 1
        if left < 0:
            yield Mistake(taken.path, "the jobs select from more outputs than are compared")
            return
        yield from _of_one(giver, way, taken.path, taken.brought)


@dataclass(frozen=True)
class _Taken:
    """An artifact that another job passes. brought: where files land that the job is passed, with the path of who
    brings each; what is looked at later adds to it."""

    path: str
    job: JobSpec
    passed: Passed
    brought: dict[str, str]


def _all_taken(spec: WorkflowSpec) -> Iterator[_Taken]:
    for place, job in enumerate(spec.every):
        brought: dict[str, str] = {}
        for number, passed in enumerate(job.artifacts):
            if isinstance(passed, Passed):
                yield _Taken(f"{spec.path_of(place)}.artifacts[{number}]", job, passed, brought)


def _giver_is_wrong(taken: _Taken, spec: WorkflowSpec, ways: _Ways) -> str | None:
    name = taken.passed.job
    if name == taken.job.name:
        return "is the job itself; what it keeps is there when it has ended"
    if any(name == job.name for job in spec.at_the_end.values()):
        return f"{name} runs when all others have ended"
    return None if name in ways.places else f"there is no job {name}"


class _Ways:
    """How jobs of a workflow pass things, with all that is looked for again and again."""

    def __init__(self, spec: WorkflowSpec) -> None:
        self.places = {job.name: place for place, job in enumerate(spec.jobs)}
        self._factories = {job: factory for factory in spec.factories for job in factory.jobs}

    def way(self, job: JobSpec, passed: Passed) -> Passing:
        factory = self._factories.get(passed.job)
        in_pairs = factory is not None and self._factories.get(job.name) is factory
        numbered = factory is not None and not in_pairs
        return Passing(
            passed,
            giver=self.places[passed.job],
            instances=factory.count if factory is not None else 1,
            in_pairs=in_pairs,
            numbered=numbered,
            directory=passed.directory or (passed.job if numbered else ""),
        )


def _of_one(giver: JobSpec, way: Passing, path: str, brought: dict[str, str]) -> Iterator[Mistake]:
    passed = way.passed
    kept = {**dict.fromkeys(giver.outputFiles, False), **dict.fromkeys(giver.outputDirs, True)}
    chosen = [name for name, is_directory in kept.items() if _may_be_chosen(name, is_directory, passed.select)]
    if not kept:
        yield Mistake(f"{path}.from", f"job {giver.name} has neither outputFiles nor outputDirs to pass")
    elif not chosen:
        yield Mistake(f"{path}.select", f"job {giver.name} has no such output; it has {_listed(kept)}")
    if way.numbered and passed.directory is None and not _can_be_a_directory(giver.name):
        yield Mistake(f"{path}.directory", f"is needed: no directory can be called {giver.name}")
    for name in chosen:
        if _SPECIAL.search(name) is None:
            first = brought.setdefault(f"{way.directory}/{'*/' if way.numbered else ''}{name}", path)
            if first != path:
                yield Mistake(path, f"brings {name}, and so does {first}; say with directory where it goes")


def _may_be_chosen(name: str, is_directory: bool, select: str | None) -> bool:
    """Whether the output could be selected so, whatever the values of parameters are."""
    if select is None:
        return True
    names = (name, f"{name}.tgz") if is_directory else (name,)
    return any(may_be_alike(any_value(one), any_value(select)) for one in names)


def may_be_alike(one: str, other: str) -> bool:
    """Whether some path could match both patterns: what is there before and behind all that is special tells it.

    Of some that cannot it says that they may, in a time that patterns cannot make long.
    """
    parts, others = one.split("/"), other.split("/")
    return len(parts) == len(others) and all(map(_parts_may_be_alike, parts, others))


def _parts_may_be_alike(one: str, other: str) -> bool:
    if _SPECIAL.search(one) is None:
        one, other = other, one
    if _SPECIAL.search(one) is None:
        return one == other
    (head, tail), (other_head, other_tail) = _ends(one), _ends(other)
    if _SPECIAL.search(other) is None and len(other) < len(head) + len(tail):
        return False
    heads = head.startswith(other_head) or other_head.startswith(head)
    return heads and (tail.endswith(other_tail) or other_tail.endswith(tail))


def _ends(part: str) -> tuple[str, str]:
    """What stands before all that is special in a pattern, and behind it; all of it where nothing is."""
    if _SPECIAL.search(part) is None:
        return part, part
    pieces = re.split(r"[*?\[\]]", part)
    return _SPECIAL.split(part)[0], pieces[-1]


def _can_be_a_directory(name: str) -> bool:
    try:
        _PATH.validate_python(name)
    except ValidationError:
        return False
    return all(len(part) <= _LONGEST_PART for part in name.split("/"))


_PATH: TypeAdapter[str] = TypeAdapter(HomePath)


def _listed(names: Mapping[str, object]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(list(names)[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
