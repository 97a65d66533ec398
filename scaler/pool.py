"""The pool as it stands: who has room now or soon, who is leaving, who has nothing to do. Pure.

A worker is known by imc's record, by the collector's word that its startd is there (its execute point), or by both.
An execute point without a record is somebody's own machine: its room counts, and it is never touched.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from prominence.core.machines import Size, Wish, Worker, WorkerPhase
from prominence.core.snapshot import ExecutePoint, PoolSnapshot
from prominence.scaler.catalogue import Catalogue, cloud_of


class Stage(enum.IntEnum):
    """How soon there is room on a worker: in this order it is given to jobs."""

    READY = 0
    BOOTING = 1
    REQUESTED = 2
    LEAVING = 3


@dataclass(frozen=True)
class Room:
    """Room that jobs can be given. trouble: why the worker may be late, "" when nothing is known to be wrong."""

    worker: str
    stage: Stage
    free: Size
    flavour: str = ""
    trouble: str = ""
    busy: bool = False


@dataclass(frozen=True)
class Member:
    """A worker that is there or to be."""

    name: str
    record: Worker | None
    point: ExecutePoint | None

    @property
    def wish(self) -> Wish:
        return self.record.request.wish if self.record else Wish.PRESENT

    @property
    def is_claimed(self) -> bool:
        return self.point is not None and self.point.claimed_slots > 0

    @property
    def is_staying(self) -> bool:
        return self.wish is Wish.PRESENT

    @property
    def is_idle(self) -> bool:
        """It is there, wanted, and runs nothing."""
        return self.point is not None and self.is_staying and not self.is_claimed

    @property
    def is_going(self) -> bool:
        """It will be gone soon and make room in the limits."""
        return not self.is_staying and not self.is_claimed

    def idle_for(self, now: datetime) -> timedelta:
        """How long it has run nothing. Unknown since when counts as since now."""
        since = self.point.idle_since if self.point else None
        return now - since if since else timedelta(0)


@dataclass(frozen=True)
class Pool:
    """members: by name. rooms: in the order in which they are filled."""

    members: tuple[Member, ...]
    rooms: tuple[Room, ...]
    notes: tuple[str, ...]

    @property
    def existing(self) -> int:
        """Workers that count against the pool's limit."""
        return sum(1 for member in self.members if member.record)


def survey(snapshot: PoolSnapshot, catalogue: Catalogue) -> Pool:
    """The pool of a snapshot in which execute points and workers are known."""
    members = _members(snapshot)
    rooms = [room for member in members if (room := _there(member) or _coming(member, catalogue))]
    # Workers that run something first, the fullest of them first: so that the others can become idle and go.
    rooms.sort(key=lambda room: (room.stage, not room.busy, room.free.cpus, room.worker))
    return Pool(members, tuple(rooms), _notes(snapshot))


def _members(snapshot: PoolSnapshot) -> tuple[Member, ...]:
    points = {point.name: point for point in snapshot.execute_points or ()}
    workers = {worker.name: worker for worker in snapshot.workers or ()}
    return tuple(
        Member(name, workers.get(name), points.get(name))
        for name in sorted(points.keys() | workers.keys())
        # The ads of a worker that is over may linger; they are no room.
        if name not in workers or not workers[name].phase.is_over
    )


def _there(member: Member) -> Room | None:
    """Room on a worker that the collector knows.

    imc cancels the drain of a worker that is wanted, whoever started it: so it counts, even while it still drains.
    """
    point, record = member.point, member.record
    if point is None or member.wish is Wish.ABSENT or (record is None and point.draining):
        return None
    stage = Stage.READY if member.is_staying else Stage.LEAVING
    return Room(member.name, stage, point.free, _flavour_name(record), busy=member.is_claimed)


def _coming(member: Member, catalogue: Catalogue) -> Room | None:
    """Room on a worker that was ordered and has not joined yet, or that the collector does not hear at present.

    imc gives up a worker that stays silent for too long; until then it may come, and no other is ordered for it.
    """
    record = member.record
    if record is None or member.point is not None or not member.is_staying:
        return None
    size, flavour = catalogue.size_of(record), _flavour_name(record)
    if record.phase is WorkerPhase.REQUESTED:
        return Room(member.name, Stage.REQUESTED, size, flavour, catalogue.troubled.get(cloud_of(record), ""))
    return Room(member.name, Stage.BOOTING, size, flavour)


def _notes(snapshot: PoolSnapshot) -> tuple[str, ...]:
    """What is seen and left alone."""
    return tuple(
        sorted(
            f"{worker.name} ({_flavour_name(worker) or 'no flavour'}) failed: {worker.reason or 'no reason given'}"
            for worker in snapshot.workers or ()
            if worker.phase is WorkerPhase.FAILED
        )
    )


def _flavour_name(record: Worker | None) -> str:
    if record is None:
        return ""
    return record.flavour.name if record.flavour else record.request.flavour
