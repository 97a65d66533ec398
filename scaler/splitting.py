"""Which jobs go to which flavours, as if jobs were liquid: first prices of room, then a linear program. Pure.

The prices are found step by step, as a market does: what is asked for most costs most. They tell which flavours are
cheap for which job, and what a job is worth: no machines cost less than all of their jobs are worth together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from prominence.scaler.amounts import KINDS, Numbers, Reals, Yes
from prominence.scaler.programme import Programme

_STEPS = 40
"""Of the market."""
_CHEAPEST, _CHEAPER = 3, 5
"""A job is split over the flavours that are cheapest for it, so many; then over those, too, that turn out cheaper."""
_FEW = 2
"""So few kinds of jobs go to the flavours that are cheapest for them."""
_DEAR = 0.1
"""Of what a job is worth: so much dearer."""
_PAIRS = 6_000
"""Of kinds of jobs and flavours: with more kinds, each is split over fewer flavours."""
_NOTHING = 1e-9


@dataclass(frozen=True)
class Task:
    """needs: of one job of each kind; jobs: how many. rooms, prices: of each flavour. runs: which may run on which."""

    needs: Numbers
    jobs: Numbers
    rooms: Numbers
    prices: Reals
    runs: Yes


def worth(task: Task, jobs: Numbers) -> Reals:
    """What each kind of room on a machine of each flavour is worth; all of a machine's together are its price."""
    scale = np.maximum(task.rooms.max(axis=0), 1)
    asking = (jobs > 0) & task.runs.any(axis=1) & (task.needs > 0).any(axis=1)
    needs, rooms, jobs = task.needs[asking] / scale, task.rooms / scale, jobs[asking].astype(float)
    nowhere = np.where(task.runs[asking], 0.0, np.inf)
    there = rooms > 0
    of_price = np.divide(task.prices[:, None], rooms, out=np.zeros_like(rooms), where=there)
    per_room = np.divide(1.0, rooms, out=np.zeros_like(rooms), where=there)
    weight = there / np.maximum(there.sum(axis=1, keepdims=True), 1)
    best, found = -1.0, np.zeros_like(rooms)
    for step in range(_STEPS):
        each = weight * of_price
        costs = needs @ each.T
        costs += nowhere
        least = costs.min(axis=1)
        total = float(least @ jobs)
        if total > best:
            best, found = total, each
        # How much of each flavour a job wants: the less, the dearer it is for it.
        costs /= np.maximum(least, 1e-12)[:, None]
        np.subtract(1.0, costs, out=costs)
        costs /= 0.02 + 0.1 / (1 + step)
        wanted = np.exp(costs, out=costs)
        wanted *= (jobs / wanted.sum(axis=1))[:, None]
        asked = (wanted.T @ needs) * per_room
        most = np.maximum(asked.max(axis=1, keepdims=True), 1e-9)
        weight = np.where(there, np.maximum(weight * np.exp((asked / most - 1) / (1 + step * 0.05)), 1e-6), 0)
        weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
    priced: Reals = found / scale
    return priced


def split(task: Task, active: Numbers, jobs: Numbers, worth: Reals, awkward: float) -> tuple[Numbers, Reals]:
    """How many of the active kinds go to each flavour, and how many machines of it that would take at the least.

    awkward: so much dearer counts a flavour of which a job takes all, as little fits beside it.
    """
    needs, runs = task.needs[active], task.runs[active]
    parts = needs[:, None, :] / np.maximum(task.rooms, 1)[None]
    costs = needs @ worth.T
    extra = costs * parts.max(axis=2) * awkward
    all_in = np.where(runs, costs + extra, np.inf)
    if len(active) <= _FEW:
        return _to_the_cheapest(all_in, parts, jobs)
    pairs = _least(all_in, _CHEAPEST)
    market = _Market(task, parts, extra, jobs)
    market.open(pairs)
    solved = market.solved(worth * task.rooms)
    more = min(_CHEAPER, _PAIRS // len(active) - _CHEAPEST)
    if solved and more > 0:
        # What its prices show to be cheaper yet.
        saved = np.einsum("jfk,fk->jf", parts, solved.worth) + extra - solved.each[:, None]
        cheaper = _least(np.where(runs & ~pairs & (saved < -_NOTHING), saved, np.inf), more)
        if cheaper.any():
            market.open(cheaper)
            solved = market.solved(worth * task.rooms) or solved
    if not solved:
        return _to_the_cheapest(all_in, parts, jobs)
    shares = solved.shares
    whole = np.minimum(np.floor(shares + 1e-6).astype(np.int64), jobs[:, None])
    whole[np.arange(len(active)), shares.argmax(axis=1)] += jobs - whole.sum(axis=1)
    return np.maximum(whole, 0), solved.machines


class _Solution(NamedTuple):
    """shares: of each kind to each flavour. worth: of each kind of room on a machine. each: of a job of each kind."""

    shares: Reals
    machines: Reals
    worth: Reals
    each: Reals


class _Market:
    """Which jobs may go where, and the cheapest that this allows.

    Rows: how many jobs there are of each kind, and what they take of the machines of each flavour, of each kind of
    room. Columns: the machines of each flavour, then the jobs of each pair of kind and flavour.
    """

    def __init__(self, task: Task, parts: Reals, extra: Reals, jobs: Numbers) -> None:
        self._parts, self._extra = parts, extra
        self._kinds = self._flavours = np.empty(0, dtype=np.int64)
        self._programme = Programme()
        exactly, limits = jobs.astype(float), task.rooms.size
        self._programme.add_rows(exactly, exactly)
        self._programme.add_rows(np.full(limits, -np.inf), np.zeros(limits))
        self._programme.add_columns(
            task.prices, self._room(np.arange(len(task.rooms))), -(task.rooms > 0).astype(float)
        )

    def open(self, pairs: Yes) -> None:
        """So that these jobs may go there, too."""
        kinds, flavours = np.nonzero(pairs)
        rows = np.concatenate([kinds[:, None], self._room(flavours)], axis=1)
        factors = np.concatenate([np.ones((len(kinds), 1)), self._parts[kinds, flavours]], axis=1)
        self._programme.add_columns(self._extra[kinds, flavours], rows, factors)
        self._kinds = np.concatenate([self._kinds, kinds])
        self._flavours = np.concatenate([self._flavours, flavours])

    def solved(self, worth: Reals) -> _Solution | None:
        """worth: of room on flavours to which none may go. None: the numbers may be too far apart for the solver."""
        found = self._programme.solve()
        if found is None:
            return None
        kinds, flavours, _ = self._parts.shape
        machines, placed = found.values[:flavours], found.values[flavours:]
        shares = np.zeros((kinds, flavours))
        shares[self._kinds, self._flavours] = placed
        of_machines = worth.copy()
        used = np.unique(self._flavours)
        of_machines[used] = -found.worth[kinds:].reshape(flavours, KINDS)[used]
        return _Solution(shares, machines, of_machines, found.worth[:kinds])

    def _room(self, flavours: Numbers) -> Numbers:
        """The rows for what is taken of machines of these flavours."""
        found: Numbers = len(self._parts) + flavours[:, None] * KINDS + np.arange(KINDS)
        return found


def _least(costs: Reals, each: int) -> Yes:
    """Of each row so many, without what costs endlessly much. Of equals there may be more."""
    each = min(each, costs.shape[1])
    found: Yes = (costs <= np.partition(costs, each - 1, axis=1)[:, each - 1 : each]) & (costs < np.inf)
    return found


def _to_the_cheapest(costs: Reals, parts: Reals, jobs: Numbers) -> tuple[Numbers, Reals]:
    """Each kind to one flavour. parts: what a job of a kind takes of a machine of a flavour, of each kind of room."""
    shares = np.zeros(costs.shape, dtype=np.int64)
    shares[np.arange(len(jobs)), costs.argmin(axis=1)] = jobs
    return shares, np.einsum("jf,jfk->fk", shares, parts).max(axis=1)
