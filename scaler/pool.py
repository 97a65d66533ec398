"""The pool as it stands: who has room now or soon, who is leaving, who has nothing to do. Pure.

A worker is known by imc's record, by the collector's word that its startd is there (its execute point), or by both.
An execute point without a record is somebody's own machine: its room counts, and it is never touched.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
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


# Asked for each of thousands of workers: to look a member of an enum up takes longer than all that is done with it.
_PRESENT, _ABSENT, _FAILED = Wish.PRESENT, Wish.ABSENT, WorkerPhase.FAILED
_READY, _LEAVING = Stage.READY, Stage.LEAVING


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
    wish: Wish
    is_claimed: bool
    is_failing: bool

    @property
    def is_staying(self) -> bool:
        return self.wish is _PRESENT

    @property
    def is_at_work(self) -> bool:
        """It runs something and is to go on: nothing is done about it."""
        return self.is_claimed and not self.is_failing and self.wish is _PRESENT

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
    def at_issue(self) -> tuple[tuple[Member, Worker], ...]:
        """Ours that something may be done about: in a busy pool few."""
        return tuple((member, member.record) for member in self.members if member.record and not member.is_at_work)

    @cached_property
    def staying(self) -> int:
        """Of these, those that are wanted."""
        return sum(1 for member in self.members if member.record and member.is_staying)


def survey(snapshot: PoolSnapshot, catalogue: Catalogue, failed_jobs_max: int) -> Pool:
    """The pool of a snapshot in which execute points and workers are known."""
    members: list[Member] = []
    rooms: list[Room] = []
    for member in _members(snapshot, failed_jobs_max):
        members.append(member)
        room = _coming(member, catalogue) if member.point is None else _there(member, member.point)
        if room:
            rooms.append(room)
    # Workers that run something first, and of them the fullest, as the negotiator does: so that the others can go.
    rooms.sort(key=lambda room: (room.stage, not room.busy, room.free.gpus, room.free.cpus, room.worker))
    return Pool(tuple(members), tuple(rooms), _notes(snapshot))


def _members(snapshot: PoolSnapshot, failed_jobs_max: int) -> Iterator[Member]:
    points = {point.name: point for point in snapshot.execute_points or ()}
    workers = {worker.name: worker for worker in snapshot.workers or ()}
    for name in sorted({**points, **workers}):
        record, point = workers.get(name), points.get(name)
        wish, is_claimed, is_failing = _PRESENT, False, False
        if record is not None:
            if record.phase.is_over:  # its ads may linger; they are no room
                continue
            wish = record.request.wish
        if point is not None:
            is_claimed = point.claimed_slots > 0
            is_failing = record is not None and 0 < failed_jobs_max <= point.failed_jobs
        yield Member(name, record, point, wish, is_claimed, is_failing)


def _there(member: Member, point: ExecutePoint) -> Room | None:
    """Room on a worker that the collector knows, if it has a core left and does not fail its jobs.

    imc cancels the drain of a worker that is wanted, whoever started it: so it counts, even while it still drains.
    """
    if point.free.cpus == 0 or member.is_failing:
        return None
    record = member.record
    if member.wish is _ABSENT or (record is None and point.draining):
        return None
    stage = _READY if member.is_staying else _LEAVING
    return Room(member.name, stage, point.free, _place(point, record), _flavour_name(record), busy=member.is_claimed)


def _place(point: ExecutePoint, record: Worker | None) -> Place:
    """Where the machine says that it is, else where we had it made."""
    if point.cloud or not record or not record.flavour:
        return point.place
    return record.flavour.place._replace(kind=point.kind)


def _coming(member: Member, catalogue: Catalogue) -> Room | None:
    """Room on a worker that was ordered and has not joined yet, or that the collector does not hear at present.

    imc gives up a worker that stays silent for too long; until then it may come, and no other is ordered for it.
    """
    record = member.record
    if record is None or not member.is_staying:
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
            if worker.phase is _FAILED
        )
    )


def _flavour_name(record: Worker | None) -> str:
    if record is None:
        return ""
    return record.flavour.name if record.flavour else record.request.flavour
