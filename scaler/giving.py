"""Room that is there or coming, to waiting jobs: the biggest first, each in the first room that takes it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from prominence.scaler import amounts
from prominence.scaler.explain import Given
from prominence.scaler.packing import Waiting, Wanted
from prominence.scaler.pool import Room


def give(rooms: Sequence[Room], waiting: Waiting) -> tuple[list[Given], Waiting]:
    """Which rooms are given to whom, in their order, and who gets none.

    One step for each kind of job over all rooms at once: what job by job would give, too.
    """
    if not rooms or not waiting:
        return [], waiting
    free = np.ascontiguousarray(amounts.rooms(room.free for room in rooms).T)
    sizes = amounts.rooms(demand.size for demand, _ in waiting)
    needs = amounts.needs(demand.size for demand, _ in waiting)
    open_to = amounts.takes([demand.placement for demand, _ in waiting], [room.place for room in rooms])
    shares: dict[int, list[tuple[Wanted, int]]] = defaultdict(list)
    left = []
    for row, (demand, jobs) in enumerate(waiting):
        rest = jobs
        possible = np.flatnonzero(amounts.enough(free, needs[row].tolist()) & open_to[row])
        if len(possible):
            fitting = np.minimum(amounts.copies(needs[row], free[:, possible].T), jobs)
            taken = np.minimum(fitting, np.maximum(jobs - (np.cumsum(fitting) - fitting), 0))
            used = np.flatnonzero(taken)
            given, counts = possible[used], taken[used]
            free[:, given] -= sizes[row, :, None] * counts
            for room, count in zip(given.tolist(), counts.tolist(), strict=True):
                shares[room].append((demand, count))
            rest -= int(counts.sum())
        if rest:
            left.append((demand, rest))
    return [Given(rooms[room], tuple(shares[room])) for room in sorted(shares)], tuple(left)
