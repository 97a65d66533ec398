"""Jobs over equal machines, the biggest first, so that what is left of each machine suits the others. Pure."""

from __future__ import annotations

from functools import reduce

import numpy as np

from prominence.scaler import amounts
from prominence.scaler.amounts import Numbers, Reals
from prominence.scaler.batches import Batches

_SAME = 0.003
"""Parts of a machine that are about the same."""
_NOTHING = 1e-9


def spread(
    flavour: int, room: Numbers, machines: int, kinds: Numbers, needs: Numbers, jobs: Numbers, fillers: Numbers
) -> Batches:
    """As many of the jobs as so many machines hold. room: of one of them. kinds, needs, jobs: what is to be spread.

    fillers: how many more of each kind there are, for room that the jobs leave.
    """
    asked = needs.any(axis=0)
    needs, room = needs[:, asked], room[asked]
    parts = needs / np.maximum(room, 1)
    order = _in_order(parts @ (parts.T @ jobs), jobs)
    alike = _Alike(room, machines, needs)
    loads = parts[order] * jobs[order, None]
    # What jobs take that are placed later, and how much of each kind of room a machine would have for nothing else.
    to_come = np.cumsum(loads[::-1], axis=0)[::-1]
    space = np.full(len(room), float(machines))
    for number, load, later in zip(order.tolist(), to_come, [*to_come[1:], None], strict=False):
        scarce = parts[number] * load / np.maximum(space, _NOTHING)
        placed = alike.place(number, int(jobs[number]), scarce, later)
        space -= parts[number] * placed
    fillers = np.where((needs <= alike.most_free()).all(axis=1), fillers, 0)
    for number in _in_order(parts.max(axis=1), fillers).tolist():
        alike.place(number, int(fillers[number]), parts[number], None)
    return alike.batches(flavour, kinds)


def _in_order(sizes: Reals, jobs: Numbers) -> Numbers:
    """Of the kinds of which there are any, the biggest first."""
    there = np.flatnonzero(jobs)
    found: Numbers = there[np.argsort(-sizes[there], kind="stable")]
    return found


class _Alike:
    """Machines in groups of which each has the same jobs. For each group: what is free, and its jobs of each kind."""

    def __init__(self, room: Numbers, machines: int, needs: Numbers) -> None:
        self._room = np.maximum(room, 1)
        self._needs = needs
        self._known = 1
        self._free = np.tile(room[:, None], (1, 32))
        self._count = np.zeros(32, dtype=np.int64)
        self._count[0] = machines
        self._jobs: list[dict[int, int]] = [{}]

    def batches(self, flavour: int, kinds: Numbers) -> Batches:
        """Those that have any. kinds: what they are called elsewhere."""
        there = [group for group, jobs in enumerate(self._jobs) if jobs]
        shares = [
            (owner, kind, count) for owner, group in enumerate(there) for kind, count in self._jobs[group].items()
        ]
        owners, columns, counts = np.array(shares, dtype=np.int64).reshape(-1, 3).T
        order = np.lexsort((columns, owners))
        return Batches(
            np.full(len(there), flavour), self._count[there], owners[order], kinds[columns[order]], counts[order]
        )

    def most_free(self) -> Numbers:
        """Of everything the most that any machine has left."""
        found: Numbers = self._free[:, : self._known].max(axis=1)
        return found

    def place(self, kind: int, jobs: int, scarce: Reals, to_come: Reals | None) -> int:
        """On each machine as few as will do. Returns how many found room.

        scarce: how much each kind of room matters. to_come: what jobs take that are placed later, if any are.
        """
        need, left = self._needs[kind], jobs
        while left:
            groups = self._fitting(need)
            if not len(groups):
                break
            free = self._free.take(groups, axis=1)
            order = self._order(free, need.tolist(), scarce, to_come)
            groups = groups[order]
            count = self._count[groups]
            on_each = -(-left // int(count.sum()))
            most = np.minimum(amounts.copies(need, free[:, order].T), on_each) if on_each > 1 else None
            taken = np.cumsum(count if most is None else most * count)
            whole = int(taken.searchsorted(left, side="right"))
            if whole:
                left -= int(taken[whole - 1])
                self._put(groups[:whole], kind, need, 1 if most is None else most[:whole])
            for number in range(whole, len(groups)):
                if not left:
                    break
                group = int(groups[number])
                copies = 1 if most is None else min(int(most[number]), left)
                machines = min(int(self._count[group]), left // copies)
                self._put_on_one(self._apart(group, machines), kind, need, copies)
                left -= copies * machines
        return jobs - left

    # Row by row, as that is several times as quick with as few rows as there are kinds of room.

    def _fitting(self, need: Numbers) -> Numbers:
        """The groups on whose machines there is room for one more."""
        fits = self._free[0, : self._known] >= need[0]
        for free, needed in zip(self._free[1:, : self._known], need[1:], strict=True):
            fits &= free >= needed
        return np.flatnonzero(fits)

    def _order(self, free: Numbers, need: list[int], scarce: Reals, to_come: Reals | None) -> Numbers:
        """The machines first that lose least of the room for what is to come, as they have too much of something for
        it anyway; of these, those with most left of what is scarce."""
        much = (scarce / max(scarce.sum(), _NOTHING) / self._room) @ free
        if to_come is None:
            return np.argsort(-much, kind="stable")
        mixture = (to_come / to_come.max() * self._room).tolist()
        asked = [(row, needed, part) for row, needed, part in zip(free, need, mixture, strict=True) if part > _NOTHING]
        before = reduce(np.minimum, [row / part for row, _, part in asked])
        after = reduce(np.minimum, [(row - needed) / part for row, needed, part in asked])
        return np.argsort(np.rint((before - after) / _SAME) - much / 2, kind="stable")

    def _put(self, groups: Numbers, kind: int, need: Numbers, copies: Numbers | int) -> None:
        self._free[:, groups] -= need[:, None] * copies
        each = [copies] * len(groups) if isinstance(copies, int) else copies.tolist()
        for group, count in zip(groups.tolist(), each, strict=True):
            jobs = self._jobs[group]
            jobs[kind] = jobs.get(kind, 0) + count

    def _put_on_one(self, group: int, kind: int, need: Numbers, copies: int) -> None:
        self._free[:, group] -= need * copies
        jobs = self._jobs[group]
        jobs[kind] = jobs.get(kind, 0) + copies

    def _apart(self, group: int, machines: int) -> int:
        """So many machines of a group as a group of their own, if they are not all of it."""
        if machines == self._count[group]:
            return group
        if self._known == len(self._count):
            self._free = np.concatenate([self._free, self._free], axis=1)
            self._count = np.concatenate([self._count, np.zeros_like(self._count)])
        new, self._known = self._known, self._known + 1
        self._free[:, new] = self._free[:, group]
        self._jobs.append(dict(self._jobs[group]))
        self._count[new] = machines
        self._count[group] -= machines
        return new
