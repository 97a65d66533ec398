"""What earlier looks at the pool have shown, for the picture of the next one: what no single look tells. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from prominence.core.machines import Flavour, Size, Worker
from prominence.core.snapshot import PARTS, Demand, ExecutePoint, PoolSnapshot, SeenFlavour
from prominence.scaler import idling, starts, waits
from prominence.scaler.dear import is_hardly_used

_REMEMBERED = timedelta(hours=1)
"""How long what machines of a flavour showed is believed: what was wrong with them may have been put right."""


@dataclass(frozen=True)
class Before:
    """last: the last snapshot in which the execute points were known. now: the moment of the new one.

    grace: how long after its start the collector may not have heard of every execute point; those seen before then
    stay in the picture as they were. failures: by worker, of those that have been heard of (QueueEvents).
    patience: of the policy; without any it does not matter since when jobs wait.
    """

    last: PoolSnapshot | None
    now: datetime
    grace: timedelta
    failures: Mapping[str, int] = field(default_factory=dict)
    patience: timedelta = timedelta(0)

    def points(self, heard: Iterable[ExecutePoint], started: datetime | None) -> tuple[ExecutePoint, ...]:
        """These, and those that a collector that was started then has not heard of yet.

        One that has just been started does not know for a moment since when it runs. It is asked once more, and then
        taken at its word.
        """
        points = self._remembered(heard)
        last = self.last
        if last is None or self.now - last.taken_at >= self.grace:
            return points
        is_new = self.now - started < self.grace if started else last.collector_started_at is not None
        return (*points, *_not_heard_yet(points, last)) if is_new else points

    def seen(
        self, points: Iterable[ExecutePoint], workers: Iterable[Worker], demand: Iterable[Demand] | None
    ) -> dict[str, Any]:
        """What a snapshot of these has of others."""
        points, workers = tuple(points), tuple(workers)
        return {
            "seen_flavours": _seen_flavours(points, workers, self.last, self.now),
            "seen_starts": starts.seen(workers, self.last),
            "seen_idle": idling.seen(points, workers, self.last, self.now),
            "seen_waits": waits.seen(demand, self.last, self.now, self.patience),
        }

    def read_at(self, unknown: Iterable[str]) -> dict[str, datetime]:
        """When each part was last read. unknown: those that could not be now."""
        unread = frozenset(unknown)
        return {**(self.last.read_at if self.last else {}), **{part: self.now for part in PARTS if part not in unread}}

    def _remembered(self, points: Iterable[ExecutePoint]) -> tuple[ExecutePoint, ...]:
        """With since when they are idle or hardly used, and how many jobs they have failed."""
        known = {point.name: point for point in (self.last and self.last.execute_points) or ()}
        return tuple(self._with(known.get(point.name), point) for point in points)

    def _with(self, was: ExecutePoint | None, point: ExecutePoint) -> ExecutePoint:
        hardly_used = self.patience and is_hardly_used(point)
        return point.model_copy(
            update={
                "idle_since": None if point.claimed_slots else self._past(was.idle_since if was else None),
                "hardly_used_since": self._past(was.hardly_used_since if was else None) if hardly_used else None,
                "failed_jobs": self.failures.get(point.name, was.failed_jobs if was else 0),
            }
        )

    def _past(self, moment: datetime | None) -> datetime:
        """One that has not come yet is of before the clock was put back: the machine would stay for as long."""
        return min(moment or self.now, self.now)


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
