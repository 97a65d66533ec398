"""The heart of the scaler: from what was seen to what is to be done, with a reason for everything. Pure.

Jobs get room in this order: on workers that are there, on workers that are coming, on workers that were leaving, and
on new ones. Every round starts from the full picture; what is unknown is not empty, and nothing is done about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from prominence.core import units
from prominence.core.machines import Flavour, Size
from prominence.core.scaling import Act, Action, ScalingPlan
from prominence.core.snapshot import PoolSnapshot
from prominence.scaler import explain, packing, removal, wording
from prominence.scaler.catalogue import Catalogue, catalogue_of
from prominence.scaler.explain import Given
from prominence.scaler.limits import Limits
from prominence.scaler.packing import Waiting
from prominence.scaler.policy import Policy
from prominence.scaler.pool import Pool, Room, Stage, survey


def decide(snapshot: PoolSnapshot, policy: Policy, now: datetime, names: Iterator[str]) -> ScalingPlan:
    """The plan of one round. names: of new workers, never used before.

    The same snapshot gives the same plan, in whatever order its parts are listed.
    """
    doubts = _doubts(snapshot, policy, now)
    if doubts:
        return ScalingPlan(made_at=now, explanations=explain.not_looked_at(snapshot.demand or ()), notes=doubts)
    catalogue = catalogue_of(snapshot, policy, now)
    pool = survey(snapshot, catalogue)
    if snapshot.demand is None:
        note = f"the queue is unknown, nothing is ordered or drained: {snapshot.unknown.get('demand', 'no reason')}"
        return ScalingPlan(made_at=now, actions=tuple(removal.drained(pool, ())), notes=(note, *pool.notes))
    return _plan(snapshot, policy, now, names, catalogue, pool)


@dataclass(frozen=True)
class _Order:
    """A new worker, and the jobs that it is for."""

    worker: str
    flavour: Flavour
    shares: Waiting

    @property
    def given(self) -> Given:
        return Given(Room(self.worker, Stage.REQUESTED, self.flavour.size, self.flavour.name), self.shares)


def _plan(
    snapshot: PoolSnapshot, policy: Policy, now: datetime, names: Iterator[str], catalogue: Catalogue, pool: Pool
) -> ScalingPlan:
    scale = _scale(snapshot, catalogue)
    given, left = _give(pool.rooms, packing.queue(snapshot.demand or (), scale))
    budget = min(policy.creations_per_round, policy.max_workers - pool.existing)
    orders, left, catalogue = _order(left, catalogue, scale, budget, names)
    limits = Limits(pool, catalogue, policy, ordered=len(orders))
    used = frozenset(one.room.worker for one in given)
    actions = (
        *_undrains(pool, given),
        *(_creation(order) for order in orders),
        *removal.idle(pool, used, policy, now),
        *removal.in_the_way(limits, used, left, scale, now),
        *removal.drained(pool, used),
    )
    explained = explain.explanations((*given, *(order.given for order in orders)), left, limits)
    return ScalingPlan(made_at=now, actions=actions, explanations=explained, notes=pool.notes)


def _doubts(snapshot: PoolSnapshot, policy: Policy, now: datetime) -> tuple[str, ...]:
    """Why nothing at all can be decided."""
    age = now - snapshot.taken_at
    if age > policy.snapshot_max_age:
        return (f"the snapshot is {units.plainly(round(age.total_seconds()))} old, nothing is done",)
    parts = {
        "execute_points": snapshot.execute_points,
        "workers": snapshot.workers,
        "clouds": snapshot.clouds,
    }
    return tuple(
        f"{part.replace('_', ' ')} unknown, nothing is done: {snapshot.unknown.get(part, 'no reason given')}"
        for part, seen in parts.items()
        if seen is None
    )


def _scale(snapshot: PoolSnapshot, catalogue: Catalogue) -> Size:
    totals = (point.total for point in snapshot.execute_points or ())
    return packing.scale_of((*(flavour.size for flavour in catalogue.flavours), *totals))


def _give(rooms: Iterable[Room], waiting: Waiting) -> tuple[list[Given], Waiting]:
    """Room that is there or coming, to the jobs that fit."""
    given = []
    for room in rooms:
        taken = packing.fill(room.free, waiting)
        if any(taken):
            given.append(Given(room, packing.shares(waiting, taken)))
            waiting = packing.without(waiting, taken)
    return given, waiting


def _order(
    waiting: Waiting, catalogue: Catalogue, scale: Size, budget: int, names: Iterator[str]
) -> tuple[list[_Order], Waiting, Catalogue]:
    """New workers for jobs without room, `budget` at most."""
    orders: list[_Order] = []
    while len(orders) < budget:
        machine = packing.best_machine(waiting, catalogue.open(), scale)
        if machine is None:
            break
        orders.append(_Order(next(names), machine.flavour, packing.shares(waiting, machine.taken)))
        waiting = packing.without(waiting, machine.taken)
        catalogue = catalogue.without(machine.flavour)
    return orders, waiting, catalogue


def _undrains(pool: Pool, given: Iterable[Given]) -> Iterator[Action]:
    workers = {member.name: member.record for member in pool.members}
    for one in given:
        worker = workers[one.room.worker]
        if worker and one.room.stage is Stage.LEAVING:
            yield removal.action(Act.UNDRAIN, worker, f"it has room for {wording.whose(one.shares)}")


def _creation(order: _Order) -> Action:
    return Action(
        act=Act.CREATE,
        worker=order.worker,
        reason=f"no worker has room for {wording.whose(order.shares)}",
        size=packing.total(order.shares),
        cloud=order.flavour.cloud,
        flavour=order.flavour.name,
    )
