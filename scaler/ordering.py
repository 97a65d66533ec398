"""New machines for jobs without room, as far as limits allow. Pure.

A few jobs get one machine after another, each the best for the biggest job that waits; many jobs get all machines at
once, by price (`scaler.bulk`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from prominence.core.machines import Flavour, Size
from prominence.scaler import amounts, bulk, packing
from prominence.scaler.amounts import Numbers, Reals, Yes
from prominence.scaler.catalogue import Catalogue
from prominence.scaler.packing import Waiting, Wanted
from prominence.scaler.splitting import Task

_FEW = 20_000
"""Kinds of jobs times flavours times machines."""
_PLENTY = 4
"""A flavour of which there may be so many times as many machines as are needed is not used up by them."""
_TURNS = 25
"""How often limits of clouds and flavours may stand in the way of a plan before the rest is left to the next round."""


@dataclass(frozen=True)
class Order:
    """Equal machines, and the jobs that each of them is for. size: what these take together."""

    flavour: Flavour
    machines: int
    shares: Waiting
    size: Size


@dataclass(frozen=True)
class Shop:
    """What machines may be ordered of. scale: against which jobs are big or small; small_cpus: below it they share."""

    catalogue: Catalogue
    scale: Size
    small_cpus: int

    def plenty(self, budget: int) -> Callable[[Flavour], int]:
        """How many machines of a flavour do not press on any limit."""
        catalogue = self.catalogue
        return lambda flavour: min(budget, catalogue.room_for(flavour) // _PLENTY)

    def after(self, order: Order) -> Shop:
        """The same when this has been ordered."""
        return replace(self, catalogue=self.catalogue.without(order.flavour, order.machines))


def orders(waiting: Waiting, shop: Shop, budget: int) -> tuple[list[Order], Waiting, Shop]:
    """`budget` machines at most. Also who is left without, and what may be ordered still."""
    found: list[Order] = []
    for _ in range(_TURNS):
        if budget <= 0 or not waiting:
            break
        offered = shop.catalogue.open()
        machines = min(budget, sum(jobs for _, jobs in waiting))
        few = len(waiting) * len(offered) * machines <= _FEW
        planned = _one_by_one(waiting, shop, budget) if few else _at_once(waiting, offered, shop)
        if not planned:
            break
        served: dict[Wanted, int] = defaultdict(int)
        for order in planned:
            machines = min(order.machines, shop.catalogue.room_for(order.flavour), budget)
            allowed = order if machines == order.machines else replace(order, machines=machines)
            if machines:
                budget -= machines
                found.append(allowed)
                shop = shop.after(allowed)
                for wanted, jobs in allowed.shares:
                    served[wanted] += jobs * machines
        waiting = packing.after(waiting, served)
        if few:
            break
    return found, waiting, shop


def _one_by_one(waiting: Waiting, shop: Shop, budget: int) -> list[Order]:
    found: list[Order] = []
    for _ in range(budget):
        plenty = shop.plenty(budget - len(found))
        machine = packing.best_machine(waiting, shop.catalogue.open(), shop.scale, shop.small_cpus, plenty)
        if machine is None:
            break
        shares = packing.shares(waiting, machine.taken)
        found.append(Order(machine.flavour, 1, shares, packing.total(shares)))
        waiting = packing.without(waiting, machine.taken)
        shop = shop.after(found[-1])
    return found


def _at_once(waiting: Waiting, offered: Sequence[Flavour], shop: Shop) -> list[Order]:
    """The whole plan, the machines of the biggest jobs first."""
    wanted = [one for one, _ in waiting]
    needs, rooms = amounts.needs(one.size for one in wanted), amounts.rooms(f.size for f in offered)
    may = amounts.takes([one.placement for one in wanted], [f.place for f in offered])
    may &= _preferred(wanted, offered, needs, rooms, may)
    share = (rooms / np.maximum(amounts.rooms([shop.scale]), 1)).max(axis=1)
    prices = np.array([flavour.price for flavour in offered])
    # Machines without a price: few of them, none larger than needed.
    prices = prices + (prices.max(initial=0.0) or 1.0) * 1e-6 * (0.001 + share)
    jobs = np.array([count for _, count in waiting], dtype=np.int64)
    useful = _useful(rooms, prices, may)
    runs = may[:, useful] & (rooms[useful] >= needs[:, None]).all(axis=2)
    task = Task(needs, jobs, rooms[useful], prices[useful], runs)
    packed = bulk.pack(task, needs[:, 0] >= shop.small_cpus)
    taken = packed.taken(amounts.rooms(one.size for one in wanted)).tolist()
    planned = sorted(
        (kinds, counts, int(useful[flavour]), machines, room)
        for (flavour, machines, kinds, counts), room in zip(packed, taken, strict=True)
    )
    return [
        Order(
            offered[flavour],
            machines,
            tuple(zip([wanted[kind] for kind in kinds], counts, strict=True)),
            amounts.size(room),
        )
        for kinds, counts, flavour, machines, room in planned
    ]


def _preferred(wanted: Sequence[Wanted], offered: Sequence[Flavour], needs: Numbers, rooms: Numbers, may: Yes) -> Yes:
    """Of the flavours that a job runs on, those in the place that it had rather run in."""
    nearest = np.ones_like(may)
    for row, one in enumerate(wanted):
        if not one.placement.preferences.is_everywhere:
            distance = np.array([one.placement.distance(flavour.place) for flavour in offered])
            runs = may[row] & (rooms >= needs[row]).all(axis=1)
            nearest[row] = distance == np.where(runs, distance, np.inf).min(initial=np.inf)
    return nearest


def _useful(rooms: Numbers, prices: Reals, may: Yes) -> Numbers:
    """Flavours without those that are smaller than another, no cheaper, and not for more kinds of jobs.

    may: which kind may be where, if it fits.
    """
    may = may[:1] if may.all() else may
    kept: list[int] = []
    rest = np.lexsort((-rooms[:, 1], -rooms[:, 0], prices))
    while len(rest):
        first, rest = int(rest[0]), rest[1:]
        kept.append(first)
        useless = (rooms[rest] <= rooms[first]).all(axis=1)
        useless[useless] = (may[:, rest[useless]] <= may[:, [first]]).all(axis=0)
        rest = rest[~useless]
    return np.array(sorted(kept), dtype=np.int64)
