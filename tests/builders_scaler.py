"""Pools in the states that the scaler's tests are about."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from builders import NOON, a_cloud, a_flavour, a_request, a_size, a_snapshot, a_worker, an_execute_point

from prominence.core.machines import Flavour, Wish, Worker, WorkerPhase
from prominence.core.scaling import Act, ScalingPlan
from prominence.core.snapshot import ExecutePoint, PoolSnapshot
from prominence.scaler.act import act
from prominence.scaler.adapters.memory import PretendPool
from prominence.scaler.before import Before
from prominence.scaler.decide import decide
from prominence.scaler.matching import Matcher
from prominence.scaler.observe import observe
from prominence.scaler.policy import Policy

SMALL = a_flavour()
LARGE = a_flavour(name="large", size=a_size(16, 16000, 160 * 1024))
POLICY = Policy()


def some_names(prefix: str = "new") -> Iterator[str]:
    """new-1, new-2, ..."""
    return (f"{prefix}-{number}" for number in itertools.count(1))


def plan_for(policy: Policy = POLICY, now: datetime = NOON, **snapshot: Any) -> ScalingPlan:
    """What is decided about this snapshot at noon."""
    return decide(a_snapshot(**{"taken_at": now, **snapshot}), policy, now, some_names())


def acts(plan: ScalingPlan) -> list[tuple[Act, str]]:
    """The plan's actions without their details."""
    return [(action.act, action.worker) for action in plan.actions]


def a_known_worker(
    name: str = "w-1", phase: WorkerPhase = WorkerPhase.REGISTERED, flavour: Flavour = SMALL, **changes: Any
) -> Worker:
    """A worker of this flavour, wished present unless told otherwise."""
    request = a_request(
        size=changes.pop("size", a_size()),
        cloud=flavour.cloud,
        flavour=flavour.name,
        wish=changes.pop("wish", Wish.PRESENT),
    )
    placed = None if phase is WorkerPhase.REQUESTED else flavour
    return a_worker(name=name, phase=phase, request=request, flavour=placed, **changes)


def a_point(name: str = "w-1", busy_cpus: int = 0, flavour: Flavour = SMALL, **changes: Any) -> ExecutePoint:
    """The execute point of such a worker, that many of its cores taken by small jobs."""
    taken = a_size(busy_cpus, busy_cpus * 1000, busy_cpus * 10 * 1024)
    idle_since = changes.pop("idle_since", None if busy_cpus else NOON)
    return an_execute_point(
        name=name,
        total=flavour.size,
        free=flavour.size - taken,
        claimed_slots=busy_cpus,
        idle_since=idle_since,
        **changes,
    )


def a_pretend_pool(*flavours: Flavour, limit: int = 10, **changes: Any) -> PretendPool:
    """An empty pool at noon, on one cloud."""
    return PretendPool(offered=(a_cloud(flavours=flavours or (SMALL,), limit=limit),), now=NOON, **changes)


class Scaling:
    """Rounds on a pretend pool, as the scaler's process does them."""

    def __init__(self, pool: PretendPool, policy: Policy = POLICY, matcher: Matcher | None = None) -> None:
        self.pool = pool
        self.policy = policy
        self.matcher = matcher
        self.plans: list[ScalingPlan] = []
        self._previous: PoolSnapshot | None = None

    def round(self, by: timedelta = timedelta(seconds=5)) -> ScalingPlan:
        """Observe, decide, act; then time passes."""
        return self.round_and_look(by)[0]

    def round_and_look(self, by: timedelta = timedelta(seconds=5)) -> tuple[ScalingPlan, PoolSnapshot]:
        """The same, with what was seen."""
        grace, patience = self.policy.collector_grace, self.policy.patience
        before = Before(self._previous, self.pool.now, grace, patience=patience)
        snapshot = observe(self.pool, self.pool, before, self.matcher)
        if snapshot.execute_points is not None:
            self._previous = snapshot
        plan = decide(snapshot, self.policy, self.pool.now, some_names(f"w-{len(self.plans)}"))
        for result in act(plan, self.pool, fence=1, may_go_on=lambda: True):
            assert result.error is None, result
        self.pool.advance(by)
        self.plans.append(plan)
        return plan, snapshot

    def rounds(self, count: int, by: timedelta = timedelta(seconds=5)) -> list[ScalingPlan]:
        """So many of them."""
        return [self.round(by) for _ in range(count)]
