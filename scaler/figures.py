"""What one round tells of the pool in figures. Pure.

No figure is told apart by user, group, job or worker: these have no end, and are in the plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from prominence.core.machines import Size, Worker, WorkerPhase
from prominence.core.scaling import ScalingPlan
from prominence.core.snapshot import PoolSnapshot

PARTS = ("demand", "execute_points", "workers", "clouds", "collector_started_at")

_NOTHING = Size(cpus=0, memory_mib=0, disk_mib=0)


@dataclass(frozen=True)
class Figures:
    """Of a part that could not be read it is None: unknown, and not zero.

    jobs: that wait, by reason. workers: that are not over, by cloud ("" before there is one) and phase.
    points: execute points, by whether imc has a record of them, and whether they drain.
    """

    jobs: Mapping[str, int] | None
    wanted: Size | None
    free: Size | None
    total: Size | None
    workers: Mapping[tuple[str, str], int] | None
    points: Mapping[tuple[bool, bool], int] | None


def figures(snapshot: PoolSnapshot, plan: ScalingPlan) -> Figures:
    """Of a round that saw this and decided that."""
    waiting: Counter[str] = Counter()
    for explanation in plan.explanations:
        waiting[explanation.reason.value] += explanation.jobs
    demand, points, workers = snapshot.demand, snapshot.execute_points, snapshot.workers
    return Figures(
        jobs=None if demand is None else waiting,
        wanted=None if demand is None else _times((one.size, one.jobs) for one in demand),
        free=None if points is None else _times((point.free, 0 if point.draining else 1) for point in points),
        total=None if points is None else _times((point.total, 1) for point in points),
        workers=None if workers is None else Counter(_stage(worker) for worker in workers if not worker.phase.is_over),
        points=None if points is None or workers is None else _points(snapshot),
    )


class Joins:
    """Workers that have joined since the last round, and how long after they were ordered."""

    def __init__(self) -> None:
        self._known: frozenset[str] | None = None

    def news(self, workers: Iterable[Worker]) -> list[tuple[str, float]]:
        """Cloud and seconds of each. Of those that were there at the first look nobody knows whether they were told."""
        joined = {worker.name: worker for worker in workers if worker.phase in _JOINED}
        known, self._known = self._known, frozenset(joined)
        if known is None:
            return []
        return [
            (worker.flavour.cloud, (worker.phase_since - worker.requested_at).total_seconds())
            for name, worker in sorted(joined.items())
            if name not in known and worker.phase is WorkerPhase.REGISTERED and worker.flavour
        ]

    def forget(self) -> None:
        """Somebody else has led meanwhile."""
        self._known = None


_JOINED = (WorkerPhase.REGISTERED, WorkerPhase.DRAINING, WorkerPhase.DRAINED)


def ages_s(seen: Mapping[str, datetime], now: datetime) -> dict[str, float]:
    """How old what is known of each part is."""
    return {part: (now - moment).total_seconds() for part, moment in seen.items()}


def parts_seen(snapshot: PoolSnapshot) -> tuple[str, ...]:
    """Those that could be read."""
    return tuple(part for part in PARTS if getattr(snapshot, part) is not None)


def _times(sizes: Iterable[tuple[Size, int]]) -> Size:
    total = _NOTHING
    for size, count in sizes:
        total += Size(
            cpus=size.cpus * count,
            memory_mib=size.memory_mib * count,
            disk_mib=size.disk_mib * count,
            gpus=size.gpus * count,
        )
    return total


def _stage(worker: Worker) -> tuple[str, str]:
    return (worker.flavour.cloud if worker.flavour else "", worker.phase.value)


def _points(snapshot: PoolSnapshot) -> Mapping[tuple[bool, bool], int]:
    recorded = {worker.name for worker in snapshot.workers or ()}
    return Counter((point.name in recorded, point.draining) for point in snapshot.execute_points or ())
