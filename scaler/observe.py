"""One look at queue, collector and imc. What cannot be read is unknown, with the reason, and never empty."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from prominence.core.errors import ProminenceError
from prominence.core.machines import Flavour, Size, Worker
from prominence.core.snapshot import ExecutePoint, PoolSnapshot, SeenFlavour
from prominence.scaler.ports import PoolSource, Provisioner

T = TypeVar("T")

_REMEMBERED = timedelta(hours=1)
"""How long what machines of a flavour showed is believed: what was wrong with them may have been put right."""


def observe(
    source: PoolSource, provisioner: Provisioner, previous: PoolSnapshot | None, now: datetime, grace: timedelta
) -> PoolSnapshot:
    """The snapshot of this moment. previous: the last one in which the execute points were known.

    grace: how long after its start the collector may not have heard of every execute point; those seen before then
    stay in the picture as they were.

    The collector is asked before the queue: a job that started in between is then seen nowhere for one round. The
    other way round it would be seen twice, idle and with its slot taken, and a machine would be ordered for it.
    """
    unknown: dict[str, str] = {}

    def known(part: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except ProminenceError as error:
            unknown[part] = str(error)
            return None

    started = known("collector_started_at", source.collector_started_at)
    points = known("execute_points", source.execute_points)
    if points is not None:
        points = _with_idle_times(points, previous, now)
        is_new = started is not None and now - started < grace
        if is_new and previous and now - previous.taken_at < grace:
            points += _not_heard_yet(points, previous)
    demand = known("demand", source.demand)
    workers = known("workers", provisioner.workers)
    clouds = known("clouds", provisioner.clouds)
    return PoolSnapshot(
        taken_at=now,
        demand=None if demand is None else tuple(demand),
        execute_points=points,
        workers=None if workers is None else tuple(workers),
        clouds=None if clouds is None else tuple(clouds),
        collector_started_at=started,
        seen_flavours=_seen_flavours(points or (), workers or (), previous, now),
        unknown=unknown,
    )


def _with_idle_times(
    points: Iterable[ExecutePoint], previous: PoolSnapshot | None, now: datetime
) -> tuple[ExecutePoint, ...]:
    before = {point.name: point.idle_since for point in (previous and previous.execute_points) or ()}
    return tuple(
        point.model_copy(update={"idle_since": None if point.claimed_slots else before.get(point.name) or now})
        for point in points
    )


def _not_heard_yet(points: tuple[ExecutePoint, ...], previous: PoolSnapshot) -> tuple[ExecutePoint, ...]:
    """Those of the last snapshot that are missing. Silence is not absence, and not idleness either."""
    heard = {point.name for point in points}
    return tuple(
        point.model_copy(update={"idle_since": None})
        for point in previous.execute_points or ()
        if point.name not in heard
    )


def _seen_flavours(
    points: Iterable[ExecutePoint], workers: Iterable[Worker], previous: PoolSnapshot | None, now: datetime
) -> tuple[SeenFlavour, ...]:
    """What machines of each flavour offer: the least that is seen now, else what was seen lately."""
    placed = {worker.name: worker.flavour for worker in workers}
    seen: dict[Flavour, Size] = {}
    for point in points:
        if flavour := placed.get(point.name):
            seen[flavour] = _least(point.total, seen.get(flavour, point.total))
    remembered = [
        one
        for one in (previous.seen_flavours if previous else ())
        if one.flavour not in seen and now - one.seen_at < _REMEMBERED
    ]
    return (*remembered, *(SeenFlavour(flavour=f, total=total, seen_at=now) for f, total in seen.items()))


def _least(one: Size, other: Size) -> Size:
    return Size(
        cpus=min(one.cpus, other.cpus),
        memory_mib=min(one.memory_mib, other.memory_mib),
        disk_mib=min(one.disk_mib, other.disk_mib),
        gpus=min(one.gpus, other.gpus),
    )
