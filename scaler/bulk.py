"""Many jobs onto many new machines for little money. Pure.

1. Prices of room tell which flavours are cheap for which job, and a linear program splits the jobs over those flavours,
   as if jobs were liquid (`scaler.splitting`).
2. For each flavour its jobs are spread over as many machines as that takes (`scaler.spreading`), the flavours with the
   biggest jobs first: what room these leave is filled with jobs that are meant for other flavours.
3. What has found no room is split and spread again, a bounded number of times; and so are, once, the jobs of machines
   that turn out to be dear for what they do.

Everything is bounded by steps and never by time, so that the same input gives the same plan. What it costs beside the
least that is possible is in `make bench`: `scaler.cost.*`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from prominence.scaler import amounts, batches, splitting
from prominence.scaler.amounts import Numbers, Reals, Yes
from prominence.scaler.batches import Batches
from prominence.scaler.splitting import Task
from prominence.scaler.spreading import spread

_ROUNDS = 8
"""Of splitting and spreading."""
_AWKWARD = 0.1
"""See `splitting.split`."""
_GOOD, _AWKWARD_AGAIN = 0.98, 0.4
"""Machines of which the jobs are worth less than that part of the price are planned anew, so awkward."""
_GOOD_ENOUGH = 1.02
"""Times what the machines would cost if jobs were liquid."""
_NO_DEARER = 1.002


def pack(task: Task, large: Yes) -> Batches:
    """Machines for all jobs that run on any flavour.

    large: kinds of jobs that get one of matching size if that costs no more.
    """
    left = np.where(task.runs.any(axis=1), task.jobs, 0)
    if not left.any():
        return batches.of(())
    worth = splitting.worth(task, left)
    each = _each(task, worth)
    alone = batches.of(list(_alone(task, left, large, each)))
    left -= alone.jobs(len(left))
    found, liquid = _packed(task, left, worth, _AWKWARD)
    return batches.joined([alone, _repaired(task, found, each, _GOOD_ENOUGH * liquid)])


def _repaired(task: Task, found: Batches, each: Reals, enough: float) -> Batches:
    """With machines that are dear for what they do planned anew, all together, unless all cost no more than is enough.

    each: what a job of each kind is worth.
    """
    is_dear = found.worth(each) < _GOOD * task.prices[found.flavours]
    if found.cost(task.prices) <= enough or not is_dear.any():
        return found
    dear = found.only(is_dear)
    left = dear.jobs(len(task.jobs))
    anew, _ = _packed(task, left, splitting.worth(task, left), _AWKWARD_AGAIN)
    if anew.cost(task.prices) >= dear.cost(task.prices):
        return found
    return batches.joined([found.only(~is_dear), anew])


def _packed(task: Task, jobs: Numbers, worth: Reals, awkward: float) -> tuple[Batches, float]:
    """Split and spread, again and again. Also what it would cost if jobs were liquid."""
    left, liquid = jobs.copy(), 0.0
    found: list[Batches] = []
    each = _each(task, worth)
    for turn in range(_ROUNDS):
        active = np.flatnonzero(left)
        if not len(active):
            break
        shares, machines = splitting.split(task, active, left[active], worth, awkward)
        liquid = liquid or float(machines @ task.prices)
        for flavour in _biggest_first(shares, each[active]):
            found.append(_of_flavour(task, flavour, active, left, shares[:, flavour], machines[flavour], turn == 0))
            left -= found[-1].jobs(len(left))
    found.append(batches.of(list(_one_by_one(task, left))))
    return batches.joined(found).on_the_cheapest(task.needs, task.rooms, task.prices, task.runs), liquid


def _biggest_first(shares: Numbers, each: Reals) -> list[int]:
    """The flavours that are used, those first of which the jobs are worth most. shares: of each kind, for each."""
    used = np.flatnonzero(shares.any(axis=0))
    mean = (each**2 @ shares[:, used]) / np.maximum(each @ shares[:, used], 1e-12)
    found: list[int] = used[np.argsort(-mean, kind="stable")].tolist()
    return found


def _of_flavour(
    task: Task, flavour: int, active: Numbers, left: Numbers, share: Numbers, machines: float, may_leave: bool
) -> Batches:
    """Its share of the jobs that are left, on no more machines than it takes: without a last one that is not full, if
    jobs may be left."""
    kinds = active[(left[active] > 0) & task.runs[active, flavour]]
    mine = np.zeros_like(left)
    mine[active] = np.minimum(share, left[active])
    room, needs = task.rooms[flavour], task.needs[kinds]
    takes = min(machines, float((mine[kinds] @ (needs / np.maximum(room, 1))).max(initial=0.0)))
    count = int(takes) if may_leave else int(np.ceil(takes - 1e-6))
    if not count:
        return batches.of(())
    return spread(flavour, room, count, kinds, needs, mine[kinds], left[kinds] - mine[kinds])


def _each(task: Task, worth: Reals) -> Reals:
    """What a job of each kind is worth."""
    found: Reals = np.where(task.runs, task.needs @ worth.T, np.inf).min(axis=1)
    return found


def _alone(
    task: Task, jobs: Numbers, large: Yes, each: Reals
) -> Iterator[tuple[int, int, tuple[tuple[int, int], ...]]]:
    """Large jobs for which no room is cheaper than a machine of matching size of their own."""
    for kind in np.flatnonzero(large & (jobs > 0)).tolist():
        runs = task.runs[kind]
        own = np.where(runs & (amounts.copies(task.needs[kind], task.rooms) == 1), task.prices, np.inf)
        flavour = int(own.argmin())
        if own[flavour] <= each[kind] * _NO_DEARER:
            yield flavour, int(jobs[kind]), ((kind, 1),)


def _one_by_one(task: Task, left: Numbers) -> Iterator[tuple[int, int, tuple[tuple[int, int], ...]]]:
    """What is left after all rounds: each kind on machines of its own."""
    for kind in np.flatnonzero(left).tolist():
        copies = np.minimum(np.where(task.runs[kind], amounts.copies(task.needs[kind], task.rooms), 0), left[kind])
        rate = np.where(copies > 0, task.prices / np.maximum(copies, 1), np.inf)
        flavour = int(rate.argmin())
        machines, rest = divmod(int(left[kind]), int(copies[flavour]))
        if machines:
            yield flavour, machines, ((kind, int(copies[flavour])),)
        if rest:
            yield flavour, 1, ((kind, rest),)
