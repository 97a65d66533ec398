"""One look at queue, collector and imc. What cannot be read is unknown, with the reason, and never empty."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TypeVar

from prominence.core.errors import ProminenceError
from prominence.core.machines import Flavour, Size, Worker
from prominence.core.snapshot import PARTS, Demand, ExecutePoint, PoolSnapshot, SeenFlavour
from prominence.scaler import idling, lifetimes, starts, waits
from prominence.scaler.dear import is_hardly_used
from prominence.scaler.matching import Matcher
from prominence.scaler.ports import PoolSource, Provisioner

T = TypeVar("T")

_REMEMBERED = timedelta(hours=1)
"""How long what machines of a flavour showed is believed: what was wrong with them may have been put right."""


def observe(
    source: PoolSource,
    provisioner: Provisioner,
    previous: PoolSnapshot | None,
    now: datetime,
    grace: timedelta,
    failures: Mapping[str, int] = MappingProxyType({}),
    matcher: Matcher | None = None,
    patience: timedelta = timedelta(0),
) -> PoolSnapshot:
    """The snapshot of this moment. previous: the last one in which the execute points were known.

    matcher: None: all machines are alike to jobs but for room and place.

    grace: how long after its start the collector may not have heard of every execute point; those seen before then
    stay in the picture as they were. failures: by worker, of those that have been heard of (QueueEvents).
    patience: of the policy; without any it does not matter since when jobs wait.

    The collector is asked before the queue: a job that started in between is then seen nowhere for one round. The
    other way round it would be seen twice, idle and with its slot taken, and a machine would be ordered for it.
    """
    look = _Look()
    started = look.known("collector_started_at", source.collector_started_at)
    points = look.known("execute_points", source.execute_points)
    if points is not None:
        points = _remembered(points, previous, now, failures, patience)
        is_new = started is not None and now - started < grace
        if is_new and previous and now - previous.taken_at < grace:
            points += _not_heard_yet(points, previous)
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
        demand, points, flavour_kinds = _matched(look, source, matcher, demand, points, flavours, workers or (), now)
    return PoolSnapshot(
        taken_at=now,
        demand=demand,
        group_cpus={} if queue is None else dict(queue[1]),
        execute_points=points,
        workers=None if workers is None else tuple(workers),
        clouds=None if clouds is None else tuple(clouds),
        collector_started_at=started,
        flavour_kinds=flavour_kinds,
        seen_flavours=_seen_flavours(points or (), workers or (), previous, now),
        seen_starts=starts.seen(workers or (), previous),
        seen_idle=idling.seen(points or (), workers or (), previous, now),
        seen_waits=waits.seen(demand, previous, now, patience),
        read_at={**(previous.read_at if previous else {}), **{part: now for part in PARTS if part not in look.unknown}},
        unknown=look.unknown,
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


def _remembered(
    points: Iterable[ExecutePoint],
    previous: PoolSnapshot | None,
    now: datetime,
    failures: Mapping[str, int],
    patience: timedelta,
) -> tuple[ExecutePoint, ...]:
    """With what one look does not tell: since when they are idle or hardly used, and how many jobs they have failed."""
    before = {point.name: point for point in (previous and previous.execute_points) or ()}

    def at_the_latest_now(moment: datetime | None) -> datetime:
        # A moment that has not come yet is of before the clock was put back: the machine would stay for as long.
        return min(moment or now, now)

    def remembered(point: ExecutePoint) -> ExecutePoint:
        was = before.get(point.name)
        return point.model_copy(
            update={
                "idle_since": None if point.claimed_slots else at_the_latest_now(was.idle_since if was else None),
                "hardly_used_since": at_the_latest_now(was.hardly_used_since if was else None)
                if patience and is_hardly_used(point)
                else None,
                "failed_jobs": failures.get(point.name, was.failed_jobs if was else 0),
            }
        )

    return tuple(map(remembered, points))


def _not_heard_yet(points: tuple[ExecutePoint, ...], previous: PoolSnapshot) -> tuple[ExecutePoint, ...]:
    """Those of the last snapshot that are missing. Silence is not absence, and not idleness either."""
    heard = {point.name for point in points}
    return tuple(
        point.model_copy(update={"idle_since": None, "hardly_used_since": None})
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
