"""Jobs over equal machines, the biggest first, so that what is left of each machine suits the others. Pure."""

from __future__ import annotations

import numpy as np

from prominence.scaler import amounts
from prominence.scaler.amounts import KINDS, Numbers, Reals
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
    parts = needs / np.maximum(room, 1)
    load, space = parts.T @ jobs, np.full(KINDS, float(machines))
    alike = _Alike(room, machines)
    for number in _in_order(parts @ load, jobs):
        todo = int(jobs[number])
        scarce = parts[number] * load / np.maximum(space, _NOTHING)
        load -= parts[number] * todo
        rest = alike.place(number, needs[number], todo, scarce, load)
        space -= parts[number] * (todo - rest)
    fillers = np.where((needs <= alike.most_free()).all(axis=1), fillers, 0)
    for number in _in_order(parts.max(axis=1), fillers):
        alike.place(number, needs[number], int(fillers[number]), parts[number], np.zeros(KINDS))
    return alike.batches(flavour, kinds)


def _in_order(sizes: Reals, jobs: Numbers) -> list[int]:
    """Of the kinds of which there are any, the biggest first."""
    there = np.flatnonzero(jobs)
    found: list[int] = there[np.argsort(-sizes[there], kind="stable")].tolist()
    return found


class _Alike:
    """Machines in groups of which each has the same jobs. For each group: what is free, and its jobs of each kind."""

    def __init__(self, room: Numbers, machines: int) -> None:
        self._room = np.maximum(room, 1)
        self._known = 1
        self._free = np.tile(room[:, None], (1, 32))
        self._count = np.zeros(32, dtype=np.int64)
        self._count[0] = machines
        self._jobs: list[dict[int, int]] = [{}]

    def batches(self, flavour: int, kinds: Numbers) -> Batches:
        """Those that have any. kinds: what they are called elsewhere."""
        there = [group for group, jobs in enumerate(self._jobs) if jobs and self._count[group]]
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
        found: Numbers = (self._free[:, : self._known] * (self._count[: self._known] > 0)).max(axis=1)
        return found

    def place(self, kind: int, need: Numbers, jobs: int, scarce: Reals, to_come: Reals) -> int:
        """On each machine as few as will do. Returns who finds no room.

        scarce: how much each kind of room matters. to_come: what jobs take that are placed later.
        """
        while jobs:
            known = self._known
            fits = (self._free[:, :known] >= need[:, None]).all(axis=0) & (self._count[:known] > 0)
            groups = np.flatnonzero(fits)
            if not len(groups):
                break
            groups = groups[self._order(self._free.take(groups, axis=1), need, scarce, to_come)]
            count = self._count[groups]
            on_each = max(1, -(-jobs // int(count.sum())))
            most = np.ones_like(count)
            if on_each > 1:
                most = np.minimum(amounts.copies(need, self._free.take(groups, axis=1).T), on_each)
            taken = np.cumsum(most * count)
            whole = int(np.searchsorted(taken, jobs, side="right"))
            self._put(groups[:whole], kind, need, most[:whole])
            jobs -= int(taken[whole - 1]) if whole else 0
            for group, copies in zip(groups[whole:].tolist(), most[whole:].tolist(), strict=True):
                if not jobs:
                    break
                copies = min(copies, jobs)
                machines = min(int(self._count[group]), jobs // copies)
                self._put(np.array([self._apart(group, machines)]), kind, need, np.array([copies]))
                jobs -= copies * machines
        return jobs

    def _order(self, free: Numbers, need: Numbers, scarce: Reals, to_come: Reals) -> Numbers:
        """The machines first that lose least of the room for what is to come, as they have too much of something for
        it anyway; of these, those with most left of what is scarce."""
        much = (scarce / max(scarce.sum(), _NOTHING) / self._room) @ free
        asked = to_come > _NOTHING
        if not asked.any():
            return np.argsort(-much, kind="stable")
        mixture = (to_come / to_come.max() * self._room)[asked, None]
        lost = (free[asked] / mixture).min(axis=0) - ((free[asked] - need[asked, None]) / mixture).min(axis=0)
        return np.argsort(np.round(lost / _SAME) - much / 2, kind="stable")

    def _put(self, groups: Numbers, kind: int, need: Numbers, copies: Numbers) -> None:
        self._free[:, groups] -= need[:, None] * copies
        for group, count in zip(groups.tolist(), copies.tolist(), strict=True):
            jobs = self._jobs[group]
            jobs[kind] = jobs.get(kind, 0) + count

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
