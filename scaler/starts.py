"""How long workers take from being ordered until they have joined: what was seen, by flavour. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from prominence.core import units
from prominence.core.machines import Worker, WorkerPhase
from prominence.core.snapshot import PoolSnapshot, SeenStart
from prominence.scaler.catalogue import Kind, wanted_kind

KEPT = 10
"""Of each flavour the latest: clouds have good days and bad ones."""

_COMING = (WorkerPhase.REQUESTED, WorkerPhase.LAUNCHED)


class Usual(NamedTuple):
    """The shortest and the longest of the starts that are like it, and a clause that says which these were."""

    least_s: float
    most_s: float
    basis: str


def seen(workers: Iterable[Worker], previous: PoolSnapshot | None) -> tuple[SeenStart, ...]:
    """What was seen before, and the workers that have joined since then."""
    known = previous.seen_starts if previous else ()
    starts = sorted((*known, *_new(workers, previous)), key=lambda one: (one.joined_at, one.worker))
    of_kind: dict[Kind, list[SeenStart]] = defaultdict(list)
    for one in starts:
        of_kind[one.cloud, one.flavour].append(one)
    return tuple(one for kind in sorted(of_kind) for one in of_kind[kind][-KEPT:])


class UsualStarts:
    """What is usual, by flavour. Looked up for many jobs, so that all is reckoned once."""

    def __init__(self, found: Iterable[SeenStart]) -> None:
        seconds: dict[Kind, list[float]] = defaultdict(list)
        for one in found:
            for kind in ((one.cloud, one.flavour), (one.cloud, ""), ("", "")):
                seconds[kind].append(one.seconds)
        self._usual = {kind: _usual(kind, alike) for kind, alike in seconds.items()}

    def of(self, kind: Kind = ("", "")) -> Usual | None:
        """Of workers of this flavour; where none was seen, of others on its cloud, or of any. None: none was seen."""
        cloud, _ = kind
        return self._usual.get(kind) or self._usual.get((cloud, "")) or self._usual.get(("", ""))


def _new(workers: Iterable[Worker], previous: PoolSnapshot | None) -> Iterator[SeenStart]:
    """Of a worker that was first seen when it had joined already it is not known whether that was its first time."""
    if previous is None or previous.workers is None:
        return
    before = {worker.name: worker.phase for worker in previous.workers}
    for worker in workers:
        was_coming = before.get(worker.name) in _COMING
        is_new = worker.name not in before and worker.requested_at >= previous.taken_at
        if worker.phase is WorkerPhase.REGISTERED and (was_coming or is_new):
            cloud, flavour = wanted_kind(worker)
            seconds = max(0.0, (worker.phase_since - worker.requested_at).total_seconds())
            yield SeenStart(
                worker=worker.name, cloud=cloud, flavour=flavour, seconds=seconds, joined_at=worker.phase_since
            )


def _usual(kind: Kind, seconds: list[float]) -> Usual:
    cloud, flavour = kind
    name = f"{flavour or 'machines'} on {cloud}" if cloud else "machines"
    return Usual(min(seconds), max(seconds), f"{name} took {_span(seconds)} to start, {_times(len(seconds))}")


def _span(seconds: list[float]) -> str:
    least, most = (units.plainly(round(bound)) for bound in (min(seconds), max(seconds)))
    return least if least == most else f"{least} to {most}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
