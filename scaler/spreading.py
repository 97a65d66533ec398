"""Jobs over equal machines, the biggest first, so that what is left of each machine suits the others. Pure."""

from __future__ import annotations

from functools import reduce
from itertools import chain

import numpy as np

from prominence.scaler import amounts
from prominence.scaler.amounts import Numbers, Reals, Yes
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
    mixtures = (to_come / np.maximum(to_come.max(axis=1, keepdims=True), _NOTHING) * np.maximum(room, 1)).tolist()
    space = [float(machines)] * len(room)
    for number, load, mixture in zip(order.tolist(), loads.tolist(), [*mixtures[1:], None], strict=False):
        part = parts[number].tolist()
        scarce = [of_one * of_all / max(left, _NOTHING) for of_one, of_all, left in zip(part, load, space, strict=True)]
        placed = alike.place(number, int(jobs[number]), scarce, mixture)
        space = [left - of_one * placed for of_one, left in zip(part, space, strict=True)]
    rest = _in_order(parts.max(axis=1), fillers)
    while len(rest := rest[alike.may_hold(needs[rest])]):
        found = (alike.place(number, int(fillers[number]), parts[number].tolist(), None) for number in rest.tolist())
        tried = next((tried for tried, any_placed in enumerate(found, start=1) if any_placed), len(rest))
        rest = rest[tried:]
    return alike.batches(flavour, kinds)


def _in_order(sizes: Reals, jobs: Numbers) -> Numbers:
    """Of the kinds of which there are any, the biggest first."""
    there = np.flatnonzero(jobs)
    found: Numbers = there[np.argsort(-sizes[there], kind="stable")]
    return found


class _Alike:
    """Machines in groups of which each has the same jobs. For each group: what is free, and its jobs of each kind."""

    def __init__(self, room: Numbers, machines: int, needs: Numbers) -> None:
        self._room = np.maximum(room, 1).tolist()
        self._needs: list[list[int]] = needs.tolist()
        self._known = 1
        self._free = np.tile(room[:, None], (1, 32))
        self._count = np.zeros(32, dtype=np.int64)
        self._count[0] = machines
        self._jobs: list[list[int]] = [[]]  # a kind, how many, a kind, ...

    def batches(self, flavour: int, kinds: Numbers) -> Batches:
        """Those that have any. kinds: what they are called elsewhere."""
        there = [group for group, jobs in enumerate(self._jobs) if jobs]
        listed = [self._jobs[group] for group in there]
        placed = np.fromiter(chain.from_iterable(listed), dtype=np.int64).reshape(-1, 2)
        owners = np.repeat(np.arange(len(there)), [len(jobs) // 2 for jobs in listed])
        order = np.lexsort((placed[:, 0], owners))
        owners, placed = owners[order], placed[order]
        # What was placed in several steps is one share.
        is_new = np.ones(len(owners), dtype=bool)
        is_new[1:] = (owners[1:] != owners[:-1]) | (placed[1:, 0] != placed[:-1, 0])
        first = np.flatnonzero(is_new)
        return Batches(
            np.full(len(there), flavour),
            self._count[there],
            owners[first],
            kinds[placed[first, 0]],
            np.add.reduceat(placed[:, 1], first) if len(first) else placed[:, 1],
        )

    def may_hold(self, needs: Numbers) -> Yes:
        """Which jobs ask for no more of anything than some machine has free: there is no room for the others."""
        found: Yes = (needs <= self._free[:, : self._known].max(axis=1)).all(axis=1)
        return found

    # The numbers for so few kinds of room are in lists: quicker one by one than an array of them.

    def place(self, kind: int, jobs: int, scarce: list[float], mixture: list[float] | None) -> int:
        """On each machine as few as will do. Returns how many found room.

        scarce: how much each kind of room matters. mixture: what a machine would have free for nothing but the jobs
        that are placed later, if any are.
        """
        need, left = self._needs[kind], jobs
        while left and len(groups := self._fitting(need)):
            free = self._free.take(groups, axis=1)
            order = self._order(free, need, self._weights(scarce), mixture)
            groups = groups[order]
            count = self._count[groups]
            on_each = -(-left // int(count.sum()))
            most = np.minimum(_copies(need, free)[order], on_each) if on_each > 1 else None
            taken = (count if most is None else most * count).cumsum()
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

    def _fitting(self, need: list[int]) -> Numbers:
        """The groups on whose machines there is room for one more."""
        found: Numbers = amounts.enough(self._free[:, : self._known], need).nonzero()[0]
        return found

    def _weights(self, scarce: list[float]) -> Reals:
        """What a unit of each kind of room matters."""
        total = max(sum(scarce), _NOTHING)
        return np.array([part / total / most for part, most in zip(scarce, self._room, strict=True)])

    def _order(self, free: Numbers, need: list[int], weights: Reals, mixture: list[float] | None) -> Numbers:
        """The machines first that lose least of the room for what is to come, as they have too much of something for
        it anyway; of these, those with most left of what is scarce."""
        much = weights @ free
        if mixture is None:
            return np.argsort(-much, kind="stable")
        asked = [
            (row / part, need / part) for row, need, part in zip(free, need, mixture, strict=True) if part > _NOTHING
        ]
        before = reduce(np.minimum, [row for row, _ in asked])
        after = reduce(np.minimum, [row - taken for row, taken in asked])
        lost = np.rint((before - after) * (1 / _SAME))
        lost -= much * 0.5
        found: Numbers = lost.argsort(kind="stable")
        return found

    def _put(self, groups: Numbers, kind: int, need: list[int], copies: Numbers | int) -> None:
        for free, needed in zip(self._free, need, strict=True):
            free[groups] -= needed * copies
        if isinstance(copies, int):
            share = (kind, copies)
            for group in groups.tolist():
                self._jobs[group] += share
        else:
            for group, count in zip(groups.tolist(), copies.tolist(), strict=True):
                self._jobs[group] += (kind, count)

    def _put_on_one(self, group: int, kind: int, need: list[int], copies: int) -> None:
        for free, needed in zip(self._free, need, strict=True):
            free[group] -= needed * copies
        self._jobs[group] += (kind, copies)

    def _apart(self, group: int, machines: int) -> int:
        """So many machines of a group as a group of their own, if they are not all of it."""
        if machines == self._count[group]:
            return group
        if self._known == len(self._count):
            self._free = np.concatenate([self._free, self._free], axis=1)
            self._count = np.concatenate([self._count, np.zeros_like(self._count)])
        new, self._known = self._known, self._known + 1
        self._free[:, new] = self._free[:, group]
        self._jobs.append(self._jobs[group][:])
        self._count[new] = machines
        self._count[group] -= machines
        return new


def _copies(need: list[int], free: Numbers) -> Numbers:
    """How many of this need go into each of the machines, which are columns."""
    found: Numbers = reduce(np.minimum, [row // needed for row, needed in zip(free, need, strict=True) if needed])
    return found
