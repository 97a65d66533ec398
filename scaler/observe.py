"""One look at queue, collector and imc. What cannot be read is unknown, with the reason, and never empty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from prominence.core.errors import ProminenceError
from prominence.core.machines import Flavour, Worker
from prominence.core.snapshot import Demand, ExecutePoint, PoolSnapshot
from prominence.scaler import lifetimes
from prominence.scaler.before import Before
from prominence.scaler.matching import Matcher
from prominence.scaler.ports import PoolSource, Provisioner

T = TypeVar("T")


def observe(
    source: PoolSource, provisioner: Provisioner, before: Before, matcher: Matcher | None = None
) -> PoolSnapshot:
    """The snapshot of this moment. matcher: None: all machines are alike to jobs but for room and place.

    The collector is asked before the queue: a job that started in between is then seen nowhere for one round. The
    other way round it would be seen twice, idle and with its slot taken, and a machine would be ordered for it.
    """
    look = _Look()
    started = look.known("collector_started_at", source.collector_started_at)
    points = look.known("execute_points", lambda: before.points(source.execute_points(), started))
    clouds = look.known("clouds", provisioner.clouds)
    flavours = [flavour for cloud in clouds or () for flavour in cloud.flavours]
    walltimes = matcher is not None and lifetimes.matter(points or (), flavours)
    queue = look.known("demand", lambda: (source.demand(walltimes), source.group_cpus()))
    workers = look.known("workers", provisioner.workers)
    if points is not None:
        # Their ads may linger, and so may our memory of them while the collector is new.
        over = {worker.name for worker in workers or () if worker.phase.is_over}
        points = tuple(point for point in points if point.name not in over)
    demand = None if queue is None else tuple(queue[0])
    flavour_kinds: dict[str, int] = {}
    if matcher and demand and points is not None:
        now = before.now
        demand, points, flavour_kinds = _matched(look, source, matcher, demand, points, flavours, workers or (), now)
    return PoolSnapshot(
        taken_at=before.now,
        demand=demand,
        group_cpus={} if queue is None else dict(queue[1]),
        execute_points=points,
        workers=None if workers is None else tuple(workers),
        clouds=None if clouds is None else tuple(clouds),
        collector_started_at=started,
        flavour_kinds=flavour_kinds,
        read_at=before.read_at(look.unknown),
        unknown=look.unknown,
        **before.seen(points or (), workers or (), demand),
    )


class _Look:
    """unknown: what could not be read, with the reason."""

    def __init__(self) -> None:
        self.unknown: dict[str, str] = {}

    def known(self, part: str, read: Callable[[], T]) -> T | None:
        """What is read, or None."""
        try:
            return read()
        except ProminenceError as error:
            self.unknown[part] = str(error)
            return None


def _matched(
    look: _Look,
    source: PoolSource,
    matcher: Matcher,
    demand: tuple[Demand, ...],
    points: tuple[ExecutePoint, ...],
    flavours: Sequence[Flavour],
    workers: Sequence[Worker],
    now: datetime,
) -> tuple[tuple[Demand, ...], tuple[ExecutePoint, ...] | None, dict[str, int]]:
    """Demand, execute points and flavours with their kinds: which jobs want what, by HTCondor's own rules."""
    names = matcher.attributes(demand)
    ads = look.known("execute_points", lambda: source.ads(names) if points else {})
    if ads is None:
        return demand, None, {}
    return matcher.match(demand, points, ads, flavours, workers, now)
