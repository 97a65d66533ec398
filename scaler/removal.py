"""Which workers go: drained when they have nothing to do, deleted when they are drained. Pure.

Drain before delete: a claimed slot may hold hours of work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from prominence.core import units
from prominence.core.machines import Flavour, Size, Wish, Worker, WorkerPhase
from prominence.core.scaling import Act, Action, Cause
from prominence.scaler import packing
from prominence.scaler.idling import Stays
from prominence.scaler.limits import Limits
from prominence.scaler.ordering import Shop, orders
from prominence.scaler.packing import Waiting
from prominence.scaler.policy import Policy
from prominence.scaler.pool import Member, Pool


def action(act: Act, worker: Worker, cause: Cause, reason: str) -> Action:
    """An action on a worker that exists."""
    wanted = worker.request
    return Action(
        act=act,
        worker=worker.name,
        reason=reason,
        cause=cause,
        size=wanted.size,
        cloud=wanted.cloud,
        flavour=wanted.flavour,
        within=wanted.within,
        flavours=wanted.flavours,
        groups=wanted.groups,
    )


def failing(pool: Pool) -> Iterator[Action]:
    """Drain workers that fail what they are given: what runs there may end, and nothing else is swallowed."""
    for member, worker in _unused(pool, ()):
        if member.is_failing and member.is_staying and member.point:
            yield action(Act.DRAIN, worker, Cause.FAILING, f"it has failed {member.point.failed_jobs} jobs in a row")


def idle(pool: Pool, used: Collection[str], policy: Policy, stays: Stays, now: datetime) -> Iterator[Action]:
    """Drain workers that ran nothing for long, unless a waiting job has a use for them or they are kept ready.

    The dearest go first: nothing is lost with any of them.
    """
    unused = list(_unused(pool, used))
    idled_out = []
    for member, worker in unused:
        if member.is_idle and (spent := member.idle_for(now)) >= stays.least:
            limit = stays.limit(worker)
            if spent >= limit:
                idled_out.append((member, worker, spent, limit))
    if not idled_out:
        return
    ready = sum(1 for member, _ in unused if member.is_ready)
    may_go = min(pool.staying - policy.min_workers, ready - policy.warm_workers)
    idled_out.sort(key=lambda one: -(one[1].flavour.price if one[1].flavour else 0))
    for _, worker, spent, limit in idled_out[: max(0, may_go)]:
        yield action(Act.DRAIN, worker, Cause.IDLE, f"idle for {_time(spent)}, limit {_time(limit)}")


def in_the_way(
    limits: Limits, used: Collection[str], left: Waiting, scale: Size, leaving: Collection[str]
) -> Iterator[Action]:
    """Drain idle workers that no waiting job fits on, where a limit keeps the right ones from being ordered.

    leaving: those that are drained in this round as it is.
    """
    if not left:
        return
    flavours = [flavour for flavour in limits.held_up() if any(packing.runs(flavour, demand) for demand, _ in left)]
    going, candidates = 0, []
    for member, worker in _unused(limits.pool, used):
        if member.is_going or member.name in leaving:
            going += 1
        elif member.is_idle and any(limits.is_freed_by(worker, flavour) for flavour in flavours):
            candidates.append(worker)
    wanted = _machines_for(left, flavours, limits, scale, at_most=going + len(candidates))
    for worker in candidates[: max(0, wanted - going)]:
        reason = "idle and of no use to the waiting jobs, while a limit keeps others out"
        yield action(Act.DRAIN, worker, Cause.IN_THE_WAY, reason)


def _machines_for(left: Waiting, flavours: Collection[Flavour], limits: Limits, scale: Size, at_most: int) -> int:
    """How many it would take without any limit, as far as it matters."""
    shop = Shop(limits.catalogue.only(flavours), scale, limits.policy.small_cpus)
    return sum(order.machines for order in orders(left, shop, at_most)[0])


def drained(pool: Pool, used: Collection[str]) -> Iterator[Action]:
    """Delete workers that take no jobs and run none."""
    for member, worker in _unused(pool, used):
        if _is_drained(member, worker):
            yield action(Act.DELETE, worker, Cause.DRAINED, "drained, it runs nothing")


def _unused(pool: Pool, used: Collection[str]) -> Iterator[tuple[Member, Worker]]:
    """Workers of ours that no waiting job is given to, without those that simply work."""
    return (one for one in pool.at_issue if one[0].name not in used)


def _is_drained(member: Member, worker: Worker) -> bool:
    """Nothing runs on it and nothing can start there; a worker that cannot be seen may still run something."""
    if worker.request.wish is not Wish.DRAINED or member.point is None or member.is_claimed:
        return False
    return worker.phase is WorkerPhase.DRAINED or member.point.draining


def _time(span: timedelta) -> str:
    return units.plainly(round(span.total_seconds()))
