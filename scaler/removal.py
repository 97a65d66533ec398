"""Which workers go: drained when they have nothing to do, deleted when they are drained. Pure.

Drain before delete: a claimed slot may hold hours of work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from prominence.core import units
from prominence.core.machines import Size, Wish, Worker, WorkerPhase
from prominence.core.scaling import Act, Action
from prominence.scaler import packing
from prominence.scaler.catalogue import cloud_of
from prominence.scaler.limits import Limits
from prominence.scaler.packing import Waiting
from prominence.scaler.policy import Policy
from prominence.scaler.pool import Member, Pool


def action(act: Act, worker: Worker, reason: str) -> Action:
    """An action on a worker that exists."""
    wanted = worker.request
    return Action(
        act=act, worker=worker.name, reason=reason, size=wanted.size, cloud=wanted.cloud, flavour=wanted.flavour
    )


def idle(pool: Pool, used: Collection[str], policy: Policy, now: datetime) -> Iterator[Action]:
    """Drain workers that ran nothing for long, unless a waiting job has a use for them."""
    for member, worker in _unused(pool, used):
        if _has_idled_out(member, policy, now):
            spent, limit = _time(member.idle_for(now)), _time(policy.idle_time)
            yield action(Act.DRAIN, worker, f"idle for {spent}, limit {limit}")


def in_the_way(limits: Limits, used: Collection[str], left: Waiting, scale: Size, now: datetime) -> Iterator[Action]:
    """Drain idle workers that no waiting job fits on, where a limit keeps the right ones from being ordered."""
    flavours = [
        flavour for flavour in limits.held_up() if any(packing.holds(flavour.size, demand.size) for demand, _ in left)
    ]
    clouds = {flavour.cloud for flavour in flavours}
    going, candidates = 0, []
    for member, worker in _unused(limits.pool, used):
        if member.is_going or _has_idled_out(member, limits.policy, now):
            going += 1
        elif member.is_idle and (limits.is_full or cloud_of(worker) in clouds):
            candidates.append(worker)
    wanted = packing.machines_for(left, flavours, scale, at_most=going + len(candidates))
    for worker in candidates[: max(0, wanted - going)]:
        yield action(Act.DRAIN, worker, "idle and of no use to the waiting jobs, while a limit keeps others out")


def drained(pool: Pool, used: Collection[str]) -> Iterator[Action]:
    """Delete workers that take no jobs and run none."""
    for member, worker in _unused(pool, used):
        if _is_drained(member, worker):
            yield action(Act.DELETE, worker, "drained, it runs nothing")


def _unused(pool: Pool, used: Collection[str]) -> Iterator[tuple[Member, Worker]]:
    """Workers of ours that no waiting job is given to."""
    for member in pool.members:
        if member.record and member.name not in used:
            yield member, member.record


def _is_drained(member: Member, worker: Worker) -> bool:
    """Nothing runs on it and nothing can start there; a worker that cannot be seen may still run something."""
    if worker.request.wish is not Wish.DRAINED or member.point is None or member.is_claimed:
        return False
    return worker.phase is WorkerPhase.DRAINED or member.point.draining


def _has_idled_out(member: Member, policy: Policy, now: datetime) -> bool:
    return member.is_idle and member.idle_for(now) >= policy.idle_time


def _time(span: timedelta) -> str:
    return units.plainly(round(span.total_seconds()))
