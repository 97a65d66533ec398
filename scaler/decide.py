"""The heart of the scaler: from what was seen to what is to be done, with a reason for everything. Pure.

Jobs get room in this order: on workers that are there, on workers that are coming, on workers that were leaving, and
on new ones. Every round starts from the full picture; what is unknown is not empty, and nothing is done about it.
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from prominence.core import units
from prominence.core.machines import Size
from prominence.core.scaling import Act, Action, Cause, ScalingPlan
from prominence.core.snapshot import PoolSnapshot
from prominence.scaler import explain, packing, removal, wording
from prominence.scaler import patience as patient
from prominence.scaler.catalogue import Catalogue, catalogue_of
from prominence.scaler.explain import Given
from prominence.scaler.giving import give
from prominence.scaler.groups import where_they_may, within_limits
from prominence.scaler.idling import Stays
from prominence.scaler.limits import Limits
from prominence.scaler.ordering import Order, Shop, orders
from prominence.scaler.packing import Waiting
from prominence.scaler.patience import Patience
from prominence.scaler.policy import Policy
from prominence.scaler.pool import Pool, Room, Stage, survey
from prominence.scaler.together import together


def decide(snapshot: PoolSnapshot, policy: Policy, now: datetime, names: Iterator[str]) -> ScalingPlan:
    """The plan of one round. names: of new workers, never used before.

    The same snapshot gives the same plan, in whatever order its parts are listed.
    """
    collects = gc.isenabled()
    # A plan may be 100,000 objects, none of them garbage before it is done, and each search reads all of the snapshot.
    gc.disable()
    try:
        return _decided(snapshot, policy, now, names)
    finally:
        if collects:
            gc.enable()


def _decided(snapshot: PoolSnapshot, policy: Policy, now: datetime, names: Iterator[str]) -> ScalingPlan:
    doubts = _doubts(snapshot, policy, now)
    if doubts:
        return ScalingPlan(made_at=now, explanations=explain.not_looked_at(snapshot.demand or (), doubts), notes=doubts)
    catalogue = catalogue_of(snapshot, policy, now)
    pool = survey(snapshot, catalogue, policy.failed_jobs_max)
    if snapshot.demand is None:
        note = f"the queue is unknown, nothing is ordered or drained: {snapshot.unknown.get('demand', 'no reason')}"
        return ScalingPlan(made_at=now, actions=tuple(removal.drained(pool, ())), notes=(note, *pool.notes))
    return _plan(snapshot, policy, now, names, catalogue, pool)


def _plan(
    snapshot: PoolSnapshot, policy: Policy, now: datetime, names: Iterator[str], catalogue: Catalogue, pool: Pool
) -> ScalingPlan:
    shop = Shop(catalogue, _scale(snapshot, catalogue), policy.small_cpus)
    most = policy.max_workers - pool.existing
    queued, beyond = within_limits(
        packing.queue(snapshot.demand or (), shop.scale), snapshot.group_cpus, policy.group_limits
    )
    queued = where_they_may(queued, snapshot.clouds or ())
    bound, nowhere = together(queued, pool.rooms, catalogue)
    patience = None
    if policy.patience_s:
        bound, patience = patient.of_jobs(bound, pool, catalogue, snapshot, policy, now)
    served, in_part = _whole(bound, pool, shop, most, min(policy.creations_per_round, most), patience)
    given, ordered, left, shop = served
    held = patience.held(left) if patience else ()
    left = patience.waiting(left)[0] if patience else left
    withheld = (*in_part, *nowhere)
    machines = sum(order.machines for order in ordered)
    new = [_New(order, [next(names) for _ in range(order.machines)]) for order in ordered]
    used = frozenset(one.room.worker for one in given)
    kept_ready, catalogue = _standing(pool, used, machines, shop.catalogue, policy, names)
    limits = Limits(pool, catalogue, policy, ordered=machines + len(kept_ready))
    failing = tuple(removal.failing(pool))
    bad = frozenset(action.worker for action in failing)
    idle = tuple(removal.idle(pool, used | bad, policy, Stays(policy, snapshot), now))
    leaving = bad | {action.worker for action in idle}
    closed = tuple(patience.dear.closed(pool, used | leaving, policy, len(leaving))) if patience else ()
    actions = (
        *_undrains(pool, given),
        *(creation for one in new for creation in one.creations(catalogue)),
        *kept_ready,
        *failing,
        *idle,
        *removal.in_the_way(limits, used, (*left, *withheld), shop.scale, leaving),
        *removal.drained(pool, used),
        *closed,
    )
    explained = explain.explanations((*given, *(one.given for one in new)), left, withheld, beyond, limits, held)
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


class _Served(NamedTuple):
    """Who gets which room that is there, what is ordered for others, who gets none, and what may be ordered still."""

    given: list[Given]
    ordered: list[Order]
    left: Waiting
    shop: Shop


def _served(waiting: Waiting, pool: Pool, shop: Shop, budget: int, patience: Patience | None) -> _Served:
    if patience:
        return _Served(*patience.served(waiting, pool.rooms, shop, budget))
    given, left = give(pool.rooms, waiting)
    return _Served(given, *orders(left, shop, budget))


def _whole(
    waiting: Waiting, pool: Pool, shop: Shop, most: int, budget: int, patience: Patience | None
) -> tuple[_Served, Waiting]:
    """What is done for the jobs, without those that get nothing: of several nodes, which would not all get room.

    most: how many machines all of them may have in the end; budget: how many in this round.
    """
    if all(one.nodes == 1 for one, _ in waiting):
        return _served(waiting, pool, shop, budget, patience), ()
    all_of_it, in_the_end = waiting, None
    for _ in all_of_it:
        served = _served(waiting, pool, shop, most, patience)
        in_part = packing.in_part(waiting, served.left)
        if not any(in_part):
            in_the_end = served
            break
        without_room = dict(served.left)
        useless = tuple(
            part + without_room.get(wanted, 0) if part else 0
            for (wanted, _), part in zip(waiting, in_part, strict=True)
        )
        waiting = packing.without(waiting, useless)
    kept = dict(waiting)
    withheld = tuple((one, jobs - kept.get(one, 0)) for one, jobs in all_of_it if jobs > kept.get(one, 0))
    served = in_the_end if in_the_end and budget == most else _served(waiting, pool, shop, budget, patience)
    return served, withheld


@dataclass(frozen=True)
class _New:
    """Workers that are alike and what each of them is for."""

    order: Order
    workers: Sequence[str]

    @property
    def given(self) -> Given:
        flavour = self.order.flavour
        room = Room(self.workers[0], Stage.REQUESTED, flavour.size, flavour.place, flavour.name)
        return Given(room, self.order.shares, others=tuple(self.workers[1:]))

    def creations(self, catalogue: Catalogue) -> Iterator[Action]:
        flavour, shares = self.order.flavour, self.order.shares
        reason = f"no worker has room for {wording.whose(shares)}"
        placements, groups = packing.placements(shares), packing.groups(shares)
        within, flavours = packing.area(placements), catalogue.of_kinds(packing.kinds(placements))
        first = Action(
            act=Act.CREATE,
            worker=self.workers[0],
            reason=reason,
            cause=Cause.JOBS,
            size=self.order.size,
            cloud=flavour.cloud,
            flavour=flavour.name,
            within=within,
            flavours=flavours,
            groups=groups,
        )
        yield first
        yield from (first.but(worker=worker) for worker in self.workers[1:])


def _standing(
    pool: Pool, used: Collection[str], ordered: int, catalogue: Catalogue, policy: Policy, names: Iterator[str]
) -> tuple[tuple[Action, ...], Catalogue]:
    """New workers that no job waits for, because the policy wants some to be there."""
    if not policy.min_workers and not policy.warm_workers:
        return (), catalogue
    ready = sum(1 for member, _ in pool.at_issue if member.is_ready and member.name not in used)
    few, cold = policy.min_workers - pool.staying - ordered, policy.warm_workers - ready
    most = min(policy.creations_per_round, policy.max_workers - pool.existing) - ordered
    orders: list[Action] = []
    for _ in range(min(max(few, cold), most)):
        flavour = catalogue.standing(policy.standing_flavour)
        if flavour is None:
            break
        catalogue = catalogue.without(flavour)
        cause, reason = (
            (Cause.MIN_WORKERS, f"workers that are there at least: {policy.min_workers}")
            if len(orders) < few
            else (Cause.WARM_WORKERS, f"workers that are kept ready: {policy.warm_workers}")
        )
        orders.append(
            Action(
                act=Act.CREATE,
                worker=next(names),
                reason=reason,
                cause=cause,
                size=flavour.size,
                cloud=flavour.cloud,
                flavour=flavour.name,
            )
        )
    return tuple(orders), catalogue


def _undrains(pool: Pool, given: Iterable[Given]) -> Iterator[Action]:
    workers = {member.name: worker for member, worker in pool.at_issue}
    for one in given:
        if one.room.stage is Stage.LEAVING and (worker := workers.get(one.room.worker)):
            yield removal.action(Act.UNDRAIN, worker, Cause.JOBS, f"it has room for {wording.whose(one.shares)}")
