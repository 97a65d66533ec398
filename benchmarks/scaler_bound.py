"""The least that machines for a queue can cost: a lower bound by a linear program that shares no code with the scaler.

Jobs are split over flavours as if they were liquid: of no flavour may they take more cores, memory, disk or GPUs than
its machines have together. With whole jobs on whole machines nothing is cheaper, be it in the linear program of all
patterns that fit or in any plan: so a plan is nearer to those than to this.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

from prominence.core.machines import Flavour, Size
from prominence.core.snapshot import Demand


def least_cost(demand: Sequence[Demand], flavours: Sequence[Flavour]) -> float:
    """Per hour, of machines for all jobs that some flavour holds."""
    useful = [flavour for flavour in flavours if not any(_is_better(other, flavour) for other in flavours)]
    running = [(one, [f for f in useful if one.size.fits(f.size)]) for one in demand]
    pairs = [(row, useful.index(f)) for row, (_, fitting) in enumerate(running) for f in fitting]
    if not pairs:
        return 0.0
    entries = []
    for column, (row, flavour) in enumerate(pairs):
        for kind, (needed, there) in enumerate(zip(_of(demand[row].size), _of(useful[flavour].size), strict=True)):
            if needed:
                entries.append((4 * flavour + kind, column, needed / there))
    for flavour in range(len(useful)):
        entries.extend((4 * flavour + kind, len(pairs) + flavour, -1.0) for kind in range(4))
    rows, columns, values = zip(*entries, strict=True)
    width = len(pairs) + len(useful)
    jobs = [one.jobs if fitting else 0 for one, fitting in running]
    solved = linprog(
        [0.0] * len(pairs) + [flavour.price for flavour in useful],
        A_ub=coo_array((values, (rows, columns)), shape=(4 * len(useful), width)).tocsr(),
        b_ub=np.zeros(4 * len(useful)),
        A_eq=coo_array(
            (np.ones(len(pairs)), ([row for row, _ in pairs], range(len(pairs)))), shape=(len(demand), width)
        ).tocsr(),
        b_eq=np.array(jobs, dtype=float),
        method="highs",
    )
    assert solved.success, solved.message
    return float(solved.fun)


def _of(size: Size) -> tuple[int, int, int, int]:
    return size.cpus, size.memory_mib, size.disk_mib, size.gpus


def _is_better(one: Flavour, other: Flavour) -> bool:
    """As large and cheaper, or else the first of two that are the same."""
    if not other.size.fits(one.size) or one.price > other.price:
        return False
    return (one.size, one.price) != (other.size, other.price) or (one.cloud, one.name) < (other.cloud, other.name)
