"""First-fit decreasing onto machines whose kind stays open until they are ordered, as Karpenter does.

Jobs by cores, then memory, the biggest first: each onto a machine that is there or coming, else onto one of those to be
ordered, the emptiest first, as long as some flavour holds all of its jobs, else onto a new one. Each is then ordered as
the cheapest flavour that holds its jobs. A flavour that failed is left alone for 3 minutes. Machines go when they are
empty and still are 15 s later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from prominence.core.machines import Flavour, WorkerPhase
from prominence.core.scaling import Action, ScalingPlan
from prominence.core.snapshot import Demand, PoolSnapshot
from prominence.scaler.simulate.load import Load
from prominence.scaler.simulate.machine import Amounts, amounts
from prominence.scaler.simulate.peers.seen import Seen, Slots, create, machines, plan, remove
from prominence.scaler.simulate.strategy import Sight

AVOIDED = timedelta(minutes=3)
LOOKED_TWICE_S = 15.0


@dataclass
class Room:
    """What is left of a machine that is there or coming."""

    machine: Seen
    free: list[int]
    jobs: int = 0

    def put(self, needed: Amounts, count: int) -> int:
        """How many of so many jobs it takes."""
        taken = min(count, copies(needed, self.free))
        for number, amount in enumerate(needed):
            self.free[number] -= taken * amount
        self.jobs += taken
        return taken


@dataclass
class Claim:
    """A machine to be ordered. options: flavours that hold all of its jobs."""

    options: list[Flavour]
    used: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    jobs: int = 0

    def put(self, needed: Amounts, count: int) -> int:
        """How many of so many jobs it takes."""
        taken = min(count, max((copies(needed, self._left(option)) for option in self.options), default=0))
        if taken:
            self.used = [there + taken * amount for there, amount in zip(self.used, needed, strict=True)]
            self.options = [option for option in self.options if min(self._left(option)) >= 0]
            self.jobs += taken
        return taken

    def _left(self, option: Flavour) -> list[int]:
        return [there - used for there, used in zip(amounts(option.size), self.used, strict=True)]


class FirstFit:
    """A new job brings a round on after a second without another; else every 10 s."""

    name = "first-fit"
    interval_s = 10.0
    wakes = True
    dedicated = False
    is_steady = True

    def __init__(self, load: Load) -> None:
        self._flavours = sorted(load.flavours, key=lambda flavour: (flavour.price, flavour.name))

    def plan(self, sight: Sight) -> ScalingPlan:
        rooms = rooms_of(sight.snapshot)
        slots = Slots(sight.snapshot)
        actions: list[Action] = []
        for claim in pack(sight.snapshot.demand or (), rooms, self._open(sight)):
            flavour = next((option for option in claim.options if slots.take(option)), None)
            if flavour is not None:
                actions.append(create(sight, flavour, f"{claim.jobs} jobs wait"))
        actions += (
            remove(room.machine, "empty")
            for room in rooms
            if not room.jobs and room.machine.is_idle and room.machine.idle_s(sight.now) >= LOOKED_TWICE_S
        )
        return plan(sight, actions)

    def _open(self, sight: Sight) -> list[Flavour]:
        failed = {
            worker.request.flavour
            for worker in sight.snapshot.workers or ()
            if worker.phase is WorkerPhase.FAILED and sight.now - worker.phase_since < AVOIDED
        }
        slots = Slots(sight.snapshot)
        return [f for f in self._flavours if f.name not in failed and slots.has(f)]


def rooms_of(snapshot: PoolSnapshot) -> list[Room]:
    """Of machines that are there, then of those that are coming."""
    rooms = [
        Room(one, list(amounts(one.worker.request.size)) if one.point is None else free_of(one))
        for one in machines(snapshot)
    ]
    return sorted(rooms, key=lambda room: room.machine.is_coming)


def free_of(one: Seen) -> list[int]:
    """What is free on a machine that is there."""
    assert one.point is not None
    free = one.point.free
    return [free.cpus, free.memory_mib, free.disk_mib, free.gpus]


def pack(demand: Iterable[Demand], rooms: Iterable[Room], flavours: list[Flavour]) -> list[Claim]:
    """The machines to be ordered, for what finds no room. flavours: the cheapest first."""
    claims: list[Claim] = []
    for one in sorted(demand, key=_biggest_first):
        needed, left = amounts(one.size), one.jobs
        for room in rooms:
            if left:
                left -= room.put(needed, left)
        for claim in sorted(claims, key=lambda claim: claim.jobs):
            if left:
                left -= claim.put(needed, left)
        while left:
            claim = Claim(list(flavours))
            taken = claim.put(needed, left)
            if not taken:
                break
            claims.append(claim)
            left -= taken
    return claims


def copies(needed: Amounts, free: list[int]) -> int:
    """How many of this size fit."""
    return max(0, min(there // wanted for wanted, there in zip(needed, free, strict=True) if wanted))


def _biggest_first(one: Demand) -> tuple[int, int, int, str, str]:
    return -one.size.cpus, -one.size.memory_mib, -one.size.gpus, one.group, one.user
