"""Jobs into room, and what is left of them onto new machines. Pure.

Bin by bin, the biggest jobs first: the same result as first-fit decreasing, job by job, at the cost of one step per
kind of job instead of one per job.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from prominence.core.machines import Flavour, Size
from prominence.core.snapshot import Demand

Waiting = tuple[tuple[Demand, int], ...]
"""Demands with the number of their jobs that have no room yet, the biggest jobs first."""

_NOTHING = 1e-9


@dataclass(frozen=True)
class Machine:
    """A machine to be, and the jobs that it is for: of each demand that waits, how many."""

    flavour: Flavour
    taken: tuple[int, ...]


def queue(demand: Iterable[Demand], scale: Size) -> Waiting:
    """All jobs, in the order in which they get room, whatever order they came in."""

    def rank(one: Demand) -> tuple[float, int, int, int, int, str, str, int]:
        size, share = one.size, _share(one.size, scale)
        return (-share, -size.cpus, -size.memory_mib, -size.disk_mib, -size.gpus, one.group, one.user, one.jobs)

    return tuple((one, one.jobs) for one in sorted(demand, key=rank))


def fill(free: Size, waiting: Waiting) -> tuple[int, ...]:
    """How many jobs of each demand go into this room."""
    taken = []
    for demand, jobs in waiting:
        count = min(jobs, _copies(demand.size, free))
        if count:
            free = free - times(demand.size, count)
        taken.append(count)
    return tuple(taken)


def without(waiting: Waiting, taken: Sequence[int]) -> Waiting:
    """What still waits after `taken` of it has got room."""
    return tuple((demand, jobs - count) for (demand, jobs), count in zip(waiting, taken, strict=True) if jobs > count)


def shares(waiting: Waiting, taken: Sequence[int]) -> Waiting:
    """The jobs that are `taken` of those that wait."""
    return tuple((demand, count) for (demand, _), count in zip(waiting, taken, strict=True) if count)


def total(jobs: Waiting) -> Size:
    """The room that they take together."""
    return sum((times(demand.size, count) for demand, count in jobs), start=Size(cpus=0, memory_mib=0, disk_mib=0))


def best_machine(waiting: Waiting, flavours: Sequence[Flavour], scale: Size) -> Machine | None:
    """The next machine to order, for the biggest job that any of the flavours holds; None when none holds any.

    The cheapest for the work that it would do; among equals the one that does most, so that small jobs share a
    machine, and then the smallest. Flavours without prices thus give few machines, none larger than needed.
    """
    head = next((demand.size for demand, _ in waiting if any(holds(f.size, demand.size) for f in flavours)), None)
    if head is None:
        return None

    def rank(machine: Machine) -> tuple[float, float, float, str, str, str]:
        flavour = machine.flavour
        work = sum(
            count * _share(demand.size, scale) for (demand, _), count in zip(waiting, machine.taken, strict=True)
        )
        # Rounded, because equal amounts of work may differ in the last digit.
        price = round(flavour.price / max(work, _NOTHING), 9)
        return (price, -round(work, 9), _share(flavour.size, scale), flavour.cloud, flavour.region, flavour.name)

    machines = [Machine(flavour, fill(flavour.size, waiting)) for flavour in flavours if holds(flavour.size, head)]
    return min(machines, key=rank)


def machines_for(waiting: Waiting, flavours: Sequence[Flavour], scale: Size, at_most: int) -> int:
    """How many machines it would take, as far as it matters."""
    count = 0
    while count < at_most and (machine := best_machine(waiting, flavours, scale)):
        waiting = without(waiting, machine.taken)
        count += 1
    return count


def holds(room: Size, size: Size) -> bool:
    """Whether a job of this size fits at all."""
    return _copies(size, room) > 0


def scale_of(sizes: Iterable[Size]) -> Size:
    """The most of everything that any machine has: the measure against which jobs are big or small."""
    sizes = tuple(sizes)
    return Size(
        cpus=max((size.cpus for size in sizes), default=1),
        memory_mib=max((size.memory_mib for size in sizes), default=1),
        disk_mib=max((size.disk_mib for size in sizes), default=1),
        gpus=max((size.gpus for size in sizes), default=1),
    )


def times(size: Size, count: int) -> Size:
    """The room that so many take together."""
    return Size(
        cpus=size.cpus * count,
        memory_mib=size.memory_mib * count,
        disk_mib=size.disk_mib * count,
        gpus=size.gpus * count,
    )


def _share(size: Size, scale: Size) -> float:
    """Of the largest machine, the part that is taken of what is taken most."""
    return max(
        size.cpus / max(1, scale.cpus),
        size.memory_mib / max(1, scale.memory_mib),
        size.disk_mib / max(1, scale.disk_mib),
        size.gpus / max(1, scale.gpus),
    )


def _copies(size: Size, free: Size) -> int:
    """How many of this size fit. A job that asks for no core needs a machine with one all the same."""
    wanted = (
        (max(1, size.cpus), free.cpus),
        (size.memory_mib, free.memory_mib),
        (size.disk_mib, free.disk_mib),
        (size.gpus, free.gpus),
    )
    return min(there // needed for needed, there in wanted if needed)
