"""Jobs into room, and what is left of them onto new machines. Pure.

Bin by bin, the biggest jobs first: the same result as first-fit decreasing, job by job, at the cost of one step per
kind of job instead of one per job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import attrgetter

from prominence.core.machines import Flavour, Size
from prominence.core.placement import Area, Place, Placement
from prominence.core.snapshot import Demand


@dataclass(frozen=True, eq=False, slots=True)
class Wanted:
    """Room for jobs that are alike. placement: where, which may be a part only of where they may run.

    is_anywhere: that is anywhere. The rest is the demand's: a plan asks for it a hundred thousand times.
    None is like another: looking one up takes as long with ten thousand of them as with ten.
    """

    demand: Demand
    placement: Placement
    is_anywhere: bool = field(init=False)
    size: Size = field(init=False)
    nodes: int = field(init=False)
    user: str = field(init=False)
    group: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_anywhere", self.placement.is_anywhere)
        for name in ("size", "nodes", "user", "group"):
            object.__setattr__(self, name, getattr(self.demand, name))


Waiting = tuple[tuple[Wanted, int], ...]
"""What is wanted, with the number of jobs that have no room yet, the biggest jobs first."""

SMALL_CPUS = 8
"""Below that jobs are small, unless the policy says otherwise."""

_ABOUT = 1.02
"""So many times the price is about the same."""
_SHARED = 2
"""A machine that small jobs share has so many times the cores of a job that is not small, at least."""
_NOTHING = 1e-9
_EVERYWHERE = Area()
_CPUS, _MEMORY, _DISK, _GPUS = (attrgetter(name) for name in ("cpus", "memory_mib", "disk_mib", "gpus"))


@dataclass(frozen=True)
class Machine:
    """A machine to be, and the jobs that it is for: of each demand that waits, how many."""

    flavour: Flavour
    taken: tuple[int, ...]


def queue(demand: Iterable[Demand], scale: Size) -> Waiting:
    """All jobs, in the order in which they get room, whatever order they came in.

    Of jobs of one size those come first that may not run everywhere: the others could take the only room they may have.
    """

    def rank(one: Demand) -> tuple[float | int | str | tuple[str, ...], ...]:
        size, anywhere = one.size, one.placement.is_anywhere
        amounts = (-share(size, scale), -size.cpus, -size.memory_mib, -size.disk_mib, -size.gpus)
        return (
            *amounts,
            anywhere,
            one.group,
            one.user,
            one.placement.texts(),
            one.requirements,
            one.walltimes.over_s,
            one.nodes,
            one.jobs,
        )

    return tuple((Wanted(one, one.placement), one.jobs) for one in sorted(demand, key=rank))


def fill(free: Size, place: Place, waiting: Waiting) -> tuple[int, ...]:
    """How many jobs of each demand go into this room."""
    taken = []
    for demand, jobs in waiting:
        count = min(jobs, copies(demand.size, free)) if demand.placement.takes(place) else 0
        if count:
            free = free - times(demand.size, count)
        taken.append(count)
    return tuple(taken)


def without(waiting: Waiting, taken: Sequence[int]) -> Waiting:
    """What still waits after `taken` of it has got room."""
    return tuple((demand, jobs - count) for (demand, jobs), count in zip(waiting, taken, strict=True) if jobs > count)


def in_part(waiting: Waiting, left: Waiting) -> tuple[int, ...]:
    """How many of each have got room that is of no use to them, as other nodes of their job are among those `left`.

    Those that are too few for a job are of jobs of which the other nodes run already.
    """
    without_room = dict(left)
    found = []
    for wanted, jobs in waiting:
        whole = jobs - without_room.get(wanted, 0) - jobs % wanted.nodes
        found.append(max(0, whole) % wanted.nodes if wanted in without_room else 0)
    return tuple(found)


def shares(waiting: Waiting, taken: Sequence[int]) -> Waiting:
    """The jobs that are `taken` of those that wait."""
    return tuple((demand, count) for (demand, _), count in zip(waiting, taken, strict=True) if count)


def total(jobs: Waiting) -> Size:
    """The room that they take together."""
    cpus = memory_mib = disk_mib = gpus = 0
    for wanted, count in jobs:
        size = wanted.size
        cpus += size.cpus * count
        memory_mib += size.memory_mib * count
        disk_mib += size.disk_mib * count
        gpus += size.gpus * count
    return Size(cpus=cpus, memory_mib=memory_mib, disk_mib=disk_mib, gpus=gpus)


def placements(jobs: Waiting) -> list[Placement]:
    """Of those that may not be anywhere."""
    return [one.placement for one, _ in jobs if not one.is_anywhere]


def area(placements: Iterable[Placement]) -> Area:
    """Where all of them may run, of whom some machine may run all."""
    areas = (one.requirements for one in placements)
    return reduce(Area.and_in, (area for area in areas if not area.is_everywhere), _EVERYWHERE)


def kinds(placements: Iterable[Placement]) -> frozenset[int] | None:
    """Of the machines that run all of them; None: of any."""
    said = [frozenset(found) for one in placements if (found := one.kinds) is not None]
    return frozenset.intersection(*said) if said else None


def groups(jobs: Waiting) -> tuple[str, ...]:
    """Whose they are."""
    return tuple(sorted({one.group for one, _ in jobs}))


def after(waiting: Waiting, served: Mapping[Wanted, int]) -> Waiting:
    """What still waits when so many jobs have got room."""
    rest = ((wanted, jobs - served.get(wanted, 0)) for wanted, jobs in waiting)
    return tuple((wanted, jobs) for wanted, jobs in rest if jobs > 0)


def best_machine(
    waiting: Waiting,
    flavours: Sequence[Flavour],
    scale: Size,
    small_cpus: int = SMALL_CPUS,
    plenty: Callable[[Flavour], int] = lambda flavour: 0,
) -> Machine | None:
    """The next machine to order, for the biggest job that any of the flavours holds; None when none holds any.

    One in the place that this job prefers; there the cheapest for the work that it would do; among equals the one that
    does most, so that small jobs share a machine, and then the smallest. A job that is not small gets the smallest of
    equals: one of matching size, if there is any. Flavours without prices thus give few machines, none larger than
    needed.

    plenty: of how many machines of a flavour it is no matter if they are used up: see `_middling`.
    """
    head = next((wanted for wanted, _ in waiting if any(runs(f, wanted) for f in flavours)), None)
    if head is None:
        return None
    placement, is_small = head.placement, head.size.cpus < small_cpus

    def rank(machine: Machine) -> tuple[int, float, float, float, str, str, str]:
        flavour, does = machine.flavour, _work(waiting, machine.taken, scale)
        # Rounded, because equal amounts of work may differ in the last digit.
        price = round(flavour.price / max(does, _NOTHING), 9)
        done, size = -round(does, 9), share(flavour.size, scale)
        equals = (done, size) if is_small else (size, done)
        return (placement.distance(flavour.place), price, *equals, flavour.cloud, flavour.region, flavour.name)

    ranked = {rank(m): m for m in [Machine(f, fill(f.size, f.place, waiting)) for f in flavours if runs(f, head)]}
    nearest, price, *_ = best = min(ranked)
    if price and is_small:
        about = [place for place in sorted(ranked) if place[0] == nearest and place[1] <= price * _ABOUT]
        shared = (ranked[place] for place in about if ranked[place].flavour.size.cpus >= _SHARED * small_cpus)
        return _middling(waiting, shared, scale, plenty) or ranked[best]
    return ranked[best]


def _middling(
    waiting: Waiting, machines: Iterable[Machine], scale: Size, plenty: Callable[[Flavour], int]
) -> Machine | None:
    """The smallest of machines of which so few hold all that waits that there are plenty of them.

    It is empty sooner than a large one, which is paid until the last of its many jobs has ended.
    """
    in_all = _work(waiting, [jobs for _, jobs in waiting], scale)
    enough = (m for m in machines if in_all <= _work(waiting, m.taken, scale) * plenty(m.flavour))
    return min(enough, key=lambda machine: share(machine.flavour.size, scale), default=None)


def holds(room: Size, size: Size) -> bool:
    """Whether a job of this size fits at all."""
    return copies(size, room) > 0


def runs(flavour: Flavour, wanted: Wanted | Demand) -> bool:
    """Whether such a job can run on a machine of this flavour, where it is."""
    return wanted.placement.takes(flavour.place) and holds(flavour.size, wanted.size)


def copies(size: Size, free: Size) -> int:
    """How many of this size fit. A job that asks for no core needs a machine with one all the same."""
    wanted = (
        (max(1, size.cpus), free.cpus),
        (size.memory_mib, free.memory_mib),
        (size.disk_mib, free.disk_mib),
        (size.gpus, free.gpus),
    )
    return min(there // needed for needed, there in wanted if needed)


def scale_of(sizes: Iterable[Size]) -> Size:
    """The most of everything that any machine has: the measure against which jobs are big or small."""
    sizes = tuple(sizes)
    return Size(
        cpus=max(map(_CPUS, sizes), default=1),
        memory_mib=max(map(_MEMORY, sizes), default=1),
        disk_mib=max(map(_DISK, sizes), default=1),
        gpus=max(map(_GPUS, sizes), default=1),
    )


def times(size: Size, count: int) -> Size:
    """The room that so many take together."""
    return Size(
        cpus=size.cpus * count,
        memory_mib=size.memory_mib * count,
        disk_mib=size.disk_mib * count,
        gpus=size.gpus * count,
    )


def _work(waiting: Waiting, taken: Iterable[int], scale: Size) -> float:
    """Of these jobs, in largest machines."""
    return sum(jobs * share(wanted.size, scale) for (wanted, _), jobs in zip(waiting, taken, strict=True) if jobs)


def share(size: Size, scale: Size) -> float:
    """Of the largest machine, or another, the part that is taken of what is taken most."""
    return max(
        size.cpus / max(1, scale.cpus),
        size.memory_mib / max(1, scale.memory_mib),
        size.disk_mib / max(1, scale.disk_mib),
        size.gpus / max(1, scale.gpus),
    )
