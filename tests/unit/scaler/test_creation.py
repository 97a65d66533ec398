"""When workers are ordered, and when not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from builders import NOON, a_cloud, a_demand, a_flavour, a_size, minutes
from builders_scaler import LARGE, SMALL, a_known_worker, a_point, acts, plan_for

from prominence.core.machines import Wish, WorkerPhase
from prominence.core.scaling import Act
from prominence.core.snapshot import SeenFlavour
from prominence.scaler.policy import Policy

CREATE, UNDRAIN = Act.CREATE, Act.UNDRAIN


def test_a_job_without_a_worker_makes_one_appear() -> None:
    (action,) = plan_for(demand=(a_demand(jobs=2),)).actions
    assert (action.act, action.worker, action.cloud, action.flavour) == (CREATE, "new-1", "docker", "small")
    assert action.size == a_size(2, 2000, 20 * 1024), "no more is required than its jobs need"
    assert action.reason == "no worker has room for 2 waiting jobs of alice"


def test_nothing_is_ordered_for_nobody() -> None:
    assert plan_for().actions == ()


def test_free_room_is_used_before_a_worker_is_ordered() -> None:
    pool = {"workers": (a_known_worker(),), "execute_points": (a_point(busy_cpus=1),)}
    assert acts(plan_for(**pool, demand=(a_demand(jobs=3),))) == []
    assert acts(plan_for(**pool, demand=(a_demand(jobs=4),))) == [(CREATE, "new-1")]


@pytest.mark.parametrize("phase", [WorkerPhase.REQUESTED, WorkerPhase.LAUNCHED, WorkerPhase.REGISTERED])
def test_a_worker_on_its_way_is_room(phase: WorkerPhase) -> None:
    workers = (a_known_worker(phase=phase),)
    assert acts(plan_for(workers=workers, demand=(a_demand(jobs=4),))) == []
    assert acts(plan_for(workers=workers, demand=(a_demand(jobs=5),))) == [(CREATE, "new-1")]


def test_a_worker_that_is_over_or_unwanted_is_no_room() -> None:
    for worker in (
        a_known_worker(phase=WorkerPhase.FAILED),
        a_known_worker(phase=WorkerPhase.DELETED, wish=Wish.ABSENT),
        a_known_worker(wish=Wish.ABSENT),
        a_known_worker(phase=WorkerPhase.LAUNCHED, wish=Wish.ABSENT),
    ):
        for points in ((), (a_point(),)):
            plan = plan_for(workers=(worker,), execute_points=points, demand=(a_demand(),))
            assert acts(plan) == [(CREATE, "new-1")]


def test_somebodys_own_machine_is_room_until_it_drains() -> None:
    demand = (a_demand(),)
    assert acts(plan_for(execute_points=(a_point("own"),), demand=demand)) == []
    assert acts(plan_for(execute_points=(a_point("own", draining=True),), demand=demand)) == [(CREATE, "new-1")]


def test_a_draining_worker_that_is_wanted_again_is_room() -> None:
    workers = (a_known_worker(phase=WorkerPhase.DRAINED),)
    assert acts(plan_for(workers=workers, execute_points=(a_point(draining=True),), demand=(a_demand(),))) == []


@pytest.mark.parametrize("phase", [WorkerPhase.REGISTERED, WorkerPhase.DRAINING, WorkerPhase.DRAINED])
def test_demand_that_returns_saves_a_draining_worker(phase: WorkerPhase) -> None:
    plan = plan_for(
        workers=(a_known_worker(phase=phase, wish=Wish.DRAINED),),
        execute_points=(a_point(draining=phase is not WorkerPhase.REGISTERED),),
        demand=(a_demand(jobs=2),),
    )
    assert acts(plan) == [(UNDRAIN, "w-1")]
    assert plan.actions[0].reason == "it has room for 2 waiting jobs of alice"


def test_a_worker_that_is_there_is_used_before_a_draining_one_is_saved() -> None:
    plan = plan_for(
        workers=(a_known_worker("w-1", wish=Wish.DRAINED), a_known_worker("w-2")),
        execute_points=(a_point("w-1", busy_cpus=3, draining=True), a_point("w-2")),
        demand=(a_demand(),),
    )
    assert acts(plan) == []


def test_a_draining_worker_too_small_for_the_demand_is_not_saved() -> None:
    plan = plan_for(
        workers=(a_known_worker(phase=WorkerPhase.DRAINING, wish=Wish.DRAINED),),
        execute_points=(a_point(busy_cpus=2, draining=True),),
        demand=(a_demand(size=a_size(3, 3000)),),
    )
    assert acts(plan) == [(CREATE, "new-1")]


def test_the_pool_never_has_more_workers_than_its_limit() -> None:
    workers = (a_known_worker("w-1"), a_known_worker("w-2", wish=Wish.ABSENT))
    points = (a_point("w-1", busy_cpus=4),)
    policy = Policy(max_workers=3)
    plan = plan_for(policy, workers=workers, execute_points=points, demand=(a_demand(jobs=20),))
    assert acts(plan) == [(CREATE, "new-1")], "one that is being deleted still exists"


def test_somebodys_own_machine_does_not_count_against_the_limit() -> None:
    plan = plan_for(Policy(max_workers=1), execute_points=(a_point("own", busy_cpus=4),), demand=(a_demand(),))
    assert acts(plan) == [(CREATE, "new-1")]


def test_workers_that_are_over_do_not_count_against_the_limit() -> None:
    workers = (a_known_worker("w-1", WorkerPhase.FAILED), a_known_worker("w-2", WorkerPhase.DELETED))
    assert acts(plan_for(Policy(max_workers=1), workers=workers, demand=(a_demand(),))) == [(CREATE, "new-1")]


def test_a_lowered_limit_orders_nothing_and_removes_nothing_that_works() -> None:
    workers = (a_known_worker("w-1"), a_known_worker("w-2"))
    points = (a_point("w-1", busy_cpus=4), a_point("w-2", busy_cpus=4))
    assert acts(plan_for(Policy(max_workers=1), workers=workers, execute_points=points, demand=(a_demand(),))) == []


def test_a_round_orders_no_more_than_its_share() -> None:
    plan = plan_for(Policy(creations_per_round=2), demand=(a_demand(jobs=100),))
    assert acts(plan) == [(CREATE, "new-1"), (CREATE, "new-2")]


def test_a_cloud_gets_no_more_workers_than_it_takes() -> None:
    clouds = (
        a_cloud(limit=1),
        a_cloud(name="other", limit=2, flavours=(a_flavour(cloud="other", name="dear", price=9.0),)),
    )
    plan = plan_for(clouds=clouds, demand=(a_demand(jobs=100),))
    assert [action.cloud for action in plan.actions] == ["docker", "other", "other"]


def test_a_cloud_in_trouble_is_left_alone_until_it_may_be_tried_again() -> None:
    def plan(**trouble: object) -> list[tuple[Act, str]]:
        return acts(plan_for(clouds=(a_cloud(error="the daemon is away", **trouble),), demand=(a_demand(),)))

    assert plan() == []
    assert plan(retry_at=NOON + minutes(1)) == []
    assert plan(retry_at=NOON) == [(CREATE, "new-1")]


def test_a_flavour_that_keeps_failing_is_left_alone_for_longer_and_longer() -> None:
    policy = Policy(failure_backoff_s=30, failure_backoff_max_s=100)

    def is_ordered(failures: int, after_s: float) -> bool:
        workers = tuple(a_known_worker(f"w-{n}", WorkerPhase.FAILED) for n in range(failures))
        now = NOON + timedelta(seconds=after_s)
        return bool(plan_for(policy, now, workers=workers, demand=(a_demand(),)).actions)

    assert is_ordered(failures=1, after_s=0), "one failure may be chance"
    assert [is_ordered(2, after) for after in (29, 30)] == [False, True]
    assert [is_ordered(3, after) for after in (59, 60)] == [False, True]
    assert [is_ordered(50, after) for after in (99, 100)] == [False, True]


def test_another_flavour_stands_in_for_one_that_fails() -> None:
    failed = tuple(a_known_worker(f"w-{n}", WorkerPhase.FAILED) for n in range(2))
    plan = plan_for(workers=failed, clouds=(a_cloud(flavours=(SMALL, LARGE)),), demand=(a_demand(),))
    assert [action.flavour for action in plan.actions] == ["large"]


def test_a_worker_that_came_up_clears_its_flavour() -> None:
    failed = tuple(a_known_worker(f"w-{n}", WorkerPhase.FAILED) for n in range(2))
    since = a_known_worker("w-9", phase_since=NOON + timedelta(seconds=1))
    demand = (a_demand(jobs=8),)
    assert acts(plan_for(workers=(*failed, since), demand=demand)) == [(CREATE, "new-1")]


def test_a_flavour_counts_for_what_its_machines_showed() -> None:
    seen = SeenFlavour(flavour=SMALL, total=a_size(4, 3900, 40 * 1024), seen_at=NOON)
    demand = (a_demand(size=a_size(4, 4000)),)
    clouds = (a_cloud(flavours=(SMALL, LARGE)),)
    assert plan_for(clouds=clouds, demand=demand).actions[0].flavour == "small"
    assert plan_for(clouds=clouds, demand=demand, seen_flavours=(seen,)).actions[0].flavour == "large"
    renewed = SMALL.model_copy(update={"size": a_size(4, 4200, 40 * 1024)})
    clouds = (a_cloud(flavours=(renewed, LARGE)),)
    assert plan_for(clouds=clouds, demand=demand, seen_flavours=(seen,)).actions[0].flavour == "small"


def test_a_job_that_fits_no_flavour_orders_nothing_and_holds_nobody_up() -> None:
    plan = plan_for(demand=(a_demand(size=a_size(64)), a_demand()))
    assert [action.size for action in plan.actions] == [a_size()]


def test_many_small_jobs_get_few_large_machines_and_the_rest_a_small_one() -> None:
    plan = plan_for(clouds=(a_cloud(flavours=(SMALL, LARGE)),), demand=(a_demand(jobs=34),))
    assert [action.flavour for action in plan.actions] == ["large", "large", "small"]
