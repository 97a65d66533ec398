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
from prominence.scaler.policy import Policy

_SETTLING = timedelta(seconds=30)
"""So long the collector may still show a drain that imc has cancelled."""


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
        """Since when it runs nothing. Unknown counts as since now."""
        since = self.point.idle_since if self.point and not self.is_claimed else None
        return now - since if since else timedelta(0)


@dataclass(frozen=True)
class Pool:
    """members: by name. rooms: in the order in which they are filled."""

    members: tuple[Member, ...]
    rooms: tuple[Room, ...]
    collector_is_new: bool
    notes: tuple[str, ...]

    @property
    def existing(self) -> int:
        """Workers that count against the pool's limit."""
        return sum(1 for member in self.members if member.record)


def survey(snapshot: PoolSnapshot, policy: Policy, now: datetime, catalogue: Catalogue) -> Pool:
    """The pool of a snapshot in which execute points and workers are known."""
    started = snapshot.collector_started_at
    collector_is_new = started is None or now - started < policy.collector_grace
    members = _members(snapshot)
    rooms = [
        room
        for member in members
        for room in (_there(member, now), _coming(member, policy, now, catalogue, collector_is_new))
        if room
    ]
    # Workers that run something first, the fullest of them first: so that the others can become idle and go.
    rooms.sort(key=lambda room: (room.stage, not room.busy, room.free.cpus, room.worker))
    return Pool(members, tuple(rooms), collector_is_new, _notes(snapshot, members, rooms))


def _members(snapshot: PoolSnapshot) -> tuple[Member, ...]:
    points = {point.name: point for point in snapshot.execute_points or ()}
    workers = {worker.name: worker for worker in snapshot.workers or ()}
    return tuple(
        Member(name, workers.get(name), points.get(name))
        for name in sorted(points.keys() | workers.keys())
        # The ads of a worker that is over may linger; they are no room.
        if name not in workers or not workers[name].phase.is_over
    )


def _there(member: Member, now: datetime) -> Room | None:
    """Room on a worker that the collector knows."""
    point, record = member.point, member.record
    if point is None or member.wish is Wish.ABSENT:
        return None
    if member.wish is Wish.DRAINED:
        stage = Stage.LEAVING
    elif not point.draining or _is_coming_back(record, now):
        stage = Stage.READY
    else:
        return None
    return Room(member.name, stage, point.free, _flavour_name(record), busy=member.is_claimed)


def _coming(member: Member, policy: Policy, now: datetime, catalogue: Catalogue, collector_is_new: bool) -> Room | None:
    """Room on a worker that was ordered and has not joined yet, or that a new collector has not heard of yet."""
    record = member.record
    if record is None or member.point is not None or member.wish is not Wish.PRESENT:
        return None
    size, flavour = catalogue.size_of(record), _flavour_name(record)
    if record.phase is WorkerPhase.REQUESTED:
        trouble = catalogue.troubled.get(cloud_of(record), "")
        return Room(member.name, Stage.REQUESTED, size, flavour, trouble)
    joins = collector_is_new or now - record.phase_since < policy.collector_grace
    if record.phase is WorkerPhase.LAUNCHED or joins:
        return Room(member.name, Stage.BOOTING, size, flavour)
    return None


def _is_coming_back(record: Worker | None, now: datetime) -> bool:
    """Its drain was cancelled, and the collector has not heard of that yet."""
    if record is None:
        return False
    return record.phase in (WorkerPhase.DRAINING, WorkerPhase.DRAINED) or now - record.phase_since < _SETTLING


def _notes(snapshot: PoolSnapshot, members: tuple[Member, ...], rooms: list[Room]) -> tuple[str, ...]:
    """What is seen and left alone."""
    notes = [
        f"{worker.name} ({_flavour_name(worker) or 'no flavour'}) failed: {worker.reason or 'no reason given'}"
        for worker in snapshot.workers or ()
        if worker.phase is WorkerPhase.FAILED
    ]
    with_room = {room.worker for room in rooms}
    for member in members:
        if member.wish is Wish.PRESENT and member.name not in with_room:
            seen = "drains and nobody here asked for it" if member.point else "has joined and is not in the collector"
            notes.append(f"{member.name} {seen}: its room is not counted")
    return tuple(sorted(notes))


def _flavour_name(record: Worker | None) -> str:
    if record is None:
        return ""
    return record.flavour.name if record.flavour else record.request.flavour
