"""A lower bound of what the work of a load costs, whoever scales.

A linear programme: each kind of job may be divided among the flavours that hold it, a machine's hour does no more of
any resource than it has, and nothing is paid for booting, idling or leftovers. No schedule is cheaper.
"""

from __future__ import annotations

from collections import defaultdict

from scipy.optimize import linprog
from scipy.sparse import coo_array

from prominence.core.machines import Flavour, Size
from prominence.scaler.simulate.load import Load
from prominence.scaler.simulate.machine import amounts


def cost_bound(load: Load) -> float:
    """In the currency of the prices. Every job must fit on some flavour."""
    hours: dict[Size, float] = defaultdict(float)
    for job in load.jobs:
        hours[job.size] += job.nodes * job.runtime_s / 3600
    return least_cost(hours, load.flavours)


def least_cost(hours: dict[Size, float], flavours: tuple[Flavour, ...]) -> float:
    """Of so many hours of jobs of each size."""
    if not hours:
        return 0.0
    sizes = sorted(hours, key=amounts)
    # Variables: hours of each flavour, then hours of each size on each flavour that holds it.
    pairs = [(s, f) for s, size in enumerate(sizes) for f, flavour in enumerate(flavours) if _holds(flavour, size)]
    entries: list[tuple[int, int, float]] = []
    for f, flavour in enumerate(flavours):
        entries += [(4 * f + r, f, -float(there)) for r, there in enumerate(amounts(flavour.size))]
    for column, (s, f) in enumerate(pairs, start=len(flavours)):
        entries += [(4 * f + r, column, float(needed)) for r, needed in enumerate(amounts(sizes[s])) if needed]
    rows, columns, values = zip(*entries, strict=True)
    width = len(flavours) + len(pairs)
    room = coo_array((values, (rows, columns)), shape=(4 * len(flavours), width))
    ones = [1.0] * len(pairs)
    where = ([s for s, _ in pairs], list(range(len(flavours), width)))
    done = coo_array((ones, where), shape=(len(sizes), width))
    found = linprog(
        [flavour.price for flavour in flavours] + [0.0] * len(pairs),
        A_ub=room.tocsr(),
        b_ub=[0.0] * (4 * len(flavours)),
        A_eq=done.tocsr(),
        b_eq=[hours[size] for size in sizes],
        method="highs",
    )
    if not found.success:
        raise ValueError(f"there is no bound: {found.message}")
    return float(found.fun)


def _holds(flavour: Flavour, size: Size) -> bool:
    return all(needed <= there for needed, there in zip(amounts(size), amounts(flavour.size), strict=True))
