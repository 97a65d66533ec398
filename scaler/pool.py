"""The pool as it stands: who has room now or soon, who is leaving, who has nothing to do. Pure.

A worker is known by imc's record, by the collector's word that its startd is there (its execute point), or by both.
An execute point without a record is somebody's own machine: its room counts, and it is never touched.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from prominence.core.machines import Size, Wish, Worker, WorkerPhase
from prominence.core.placement import Place
from prominence.core.snapshot import ExecutePoint, PoolSnapshot
from prominence.scaler.catalogue import Catalogue, cloud_of


class Stage(enum.IntEnum):
    """How soon there is room on a worker: in this order it is given to jobs."""

    READY = 0
    BOOTING = 1
    REQUESTED = 2
    LEAVING = 3


class Room(NamedTuple):
    """Room that jobs can be given. trouble: why the worker may be late, "" when nothing is known to be wrong.

    refusal: which cloud gave it no machine before, and why.
    """

    worker: str
    stage: Stage
    free: Size
    place: Place
    flavour: str = ""
    trouble: str = ""
    refusal: str = ""
    busy: bool = False


class Member(NamedTuple):
    """A worker that is there or to be. is_failing: ours, and jobs are failed by it."""

    name: str
    record: Worker | None
    point: ExecutePoint | None
    is_failing: bool = False

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
    def is_ready(self) -> bool:
        """It is wanted and good, and runs nothing, or will be there soon and run nothing."""
        return self.is_staying and not self.is_claimed and not self.is_failing

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

    @cached_property
    def existing(self) -> int:
        """Workers that count against the pool's limit."""
        return sum(1 for member in self.members if member.record)

    @cached_property
    def staying(self) -> int:
        """Of these, those that are wanted."""
        return sum(1 for member in self.members if member.record and member.is_staying)


def survey(snapshot: PoolSnapshot, catalogue: Catalogue, failed_jobs_max: int) -> Pool:
    """The pool of a snapshot in which execute points and workers are known."""
    members = _members(snapshot, failed_jobs_max)
    rooms = [room for member in members if (room := _there(member) or _coming(member, catalogue))]
    # Workers that run something first, the fullest of them first: so that the others can become idle and go.
    rooms.sort(key=lambda room: (room.stage, not room.busy, room.free.cpus, room.worker))
    return Pool(members, tuple(rooms), _notes(snapshot))


def _members(snapshot: PoolSnapshot, failed_jobs_max: int) -> tuple[Member, ...]:
    points = {point.name: point for point in snapshot.execute_points or ()}
    workers = {worker.name: worker for worker in snapshot.workers or ()}
    found = []
    for name in sorted(points.keys() | workers.keys()):
        record, point = workers.get(name), points.get(name)
        if record is None or not record.phase.is_over:  # the ads of a worker that is over may linger; they are no room
            is_failing = bool(record and point) and 0 < failed_jobs_max <= points[name].failed_jobs
            found.append(Member(name, record, point, is_failing))
    return tuple(found)


def _there(member: Member) -> Room | None:
    """Room on a worker that the collector knows, if it has a core left and does not fail its jobs.

    imc cancels the drain of a worker that is wanted, whoever started it: so it counts, even while it still drains.
    """
    point, record = member.point, member.record
    if point is None or point.free.cpus == 0 or member.is_failing:
        return None
    if member.wish is Wish.ABSENT or (record is None and point.draining):
        return None
    stage = Stage.READY if member.is_staying else Stage.LEAVING
    return Room(member.name, stage, point.free, _place(point, record), _flavour_name(record), busy=member.is_claimed)


def _place(point: ExecutePoint, record: Worker | None) -> Place:
    """Where the machine says that it is, else where we had it made."""
    where = record.flavour.place if not point.cloud and record and record.flavour else point.place
    return where._replace(kind=point.kind)


def _coming(member: Member, catalogue: Catalogue) -> Room | None:
    """Room on a worker that was ordered and has not joined yet, or that the collector does not hear at present.

    imc gives up a worker that stays silent for too long; until then it may come, and no other is ordered for it.
    """
    record = member.record
    if record is None or member.point is not None or not member.is_staying:
        return None
    size, place, flavour = catalogue.size_of(record), catalogue.place_of(record), _flavour_name(record)
    refusal = record.refusals[-1] if record.refusals else ""
    if record.phase is WorkerPhase.REQUESTED:
        trouble = catalogue.troubled.get(cloud_of(record), "")
        return Room(member.name, Stage.REQUESTED, size, place, flavour, trouble, refusal)
    return Room(member.name, Stage.BOOTING, size, place, flavour, refusal=refusal)


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
