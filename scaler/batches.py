"""Machines to be, kept together where they are alike, in arrays: there may be tens of thousands. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from prominence.scaler.amounts import Numbers, Reals, Yes


@dataclass(frozen=True)
class Batches:
    """flavours, machines: of each batch, what its machines are and how many.

    owners, kinds, counts: of each share, the batch that it belongs to, the kind of job, and how many of them each
    machine of the batch is for. The shares of a batch are neighbours, and of each kind there is one.
    """

    flavours: Numbers
    machines: Numbers
    owners: Numbers
    kinds: Numbers
    counts: Numbers

    def __len__(self) -> int:
        return len(self.flavours)

    def __iter__(self) -> Iterator[tuple[int, int, list[int], list[int]]]:
        """Flavour, machines, and kinds and counts of the shares of each."""
        ends = np.cumsum(np.bincount(self.owners, minlength=len(self))).tolist()
        kinds, counts = self.kinds.tolist(), self.counts.tolist()
        begin = 0
        for flavour, machines, end in zip(self.flavours.tolist(), self.machines.tolist(), ends, strict=True):
            yield flavour, machines, kinds[begin:end], counts[begin:end]
            begin = end

    @property
    def _begins(self) -> Numbers:
        """The first share of each batch."""
        found: Numbers = np.searchsorted(self.owners, np.arange(len(self)))
        return found

    def jobs(self, kinds: int) -> Numbers:
        """How many of each kind have room on them."""
        found = np.zeros(kinds, dtype=np.int64)
        np.add.at(found, self.kinds, self.counts * self.machines[self.owners])
        return found

    def cost(self, prices: Reals) -> float:
        """Of all machines."""
        return float(prices[self.flavours] @ self.machines)

    def worth(self, each: Reals) -> Reals:
        """What the jobs of one machine of each batch are worth together."""
        found = np.zeros(len(self))
        np.add.at(found, self.owners, each[self.kinds] * self.counts)
        return found

    def taken(self, needs: Numbers) -> Numbers:
        """What the jobs of one machine of each batch take together. needs: of a job of each kind."""
        found: Numbers = np.add.reduceat(needs[self.kinds] * self.counts[:, None], self._begins, axis=0)
        return found

    def only(self, wanted: Yes) -> Batches:
        """Some of them."""
        number, kept = np.cumsum(wanted) - 1, wanted[self.owners]
        return Batches(
            self.flavours[wanted],
            self.machines[wanted],
            number[self.owners[kept]],
            self.kinds[kept],
            self.counts[kept],
        )

    def on_the_cheapest(self, needs: Numbers, rooms: Numbers, prices: Reals, runs: Yes) -> Batches:
        """The same jobs, each batch on the cheapest machines that hold them. runs: which kind may, on which flavour."""
        if not len(self):
            return self
        used = self.taken(needs)
        holds = np.logical_and.reduceat(runs[self.kinds], self._begins, axis=0)
        holds &= (used[:, None] <= rooms[None]).all(axis=2)
        flavours = np.where(holds, prices, np.inf).argmin(axis=1)
        return Batches(flavours, self.machines, self.owners, self.kinds, self.counts)


def of(batches: Sequence[tuple[int, int, Sequence[tuple[int, int]]]]) -> Batches:
    """From flavour, machines and shares of each."""
    shares = [(number, *share) for number, (_, _, found) in enumerate(batches) for share in found]
    owners, kinds, counts = np.array(shares, dtype=np.int64).reshape(-1, 3).T
    flavours = np.array([flavour for flavour, _, _ in batches], dtype=np.int64)
    machines = np.array([count for _, count, _ in batches], dtype=np.int64)
    return Batches(flavours, machines, owners, kinds, counts)


def joined(parts: Sequence[Batches]) -> Batches:
    """All of them, one after another."""
    if not parts:
        return of(())
    before = np.cumsum([0, *(len(part) for part in parts)])
    return Batches(
        np.concatenate([part.flavours for part in parts]),
        np.concatenate([part.machines for part in parts]),
        np.concatenate([part.owners + first for part, first in zip(parts, before, strict=False)]),
        np.concatenate([part.kinds for part in parts]),
        np.concatenate([part.counts for part in parts]),
    )
