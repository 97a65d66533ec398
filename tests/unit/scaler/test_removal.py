"""When workers are drained and deleted, and when not."""

from __future__ import annotations

from builders import NOON, a_cloud, a_demand, a_flavour, a_size, minutes
from builders_scaler import LARGE, SMALL, a_known_worker, a_point, acts, plan_for

from prominence.core.machines import Wish, WorkerPhase
from prominence.core.scaling import Act
from prominence.core.snapshot import SeenStart
from prominence.scaler.policy import Policy

DRAIN, DELETE, CREATE = Act.DRAIN, Act.DELETE, Act.CREATE
LATER = NOON + minutes(12)


def test_an_idle_worker_is_drained_after_the_idle_time() -> None:
    workers, points = (a_known_worker(),), (a_point(),)
    assert acts(plan_for(now=NOON + minutes(9.9), workers=workers, execute_points=points)) == []
    assert acts(plan_for(now=NOON + minutes(10), workers=workers, execute_points=points)) == [(DRAIN, "w-1")]
    (action,) = plan_for(now=LATER, workers=workers, execute_points=points).actions
    assert (action.act, action.worker, action.reason) == (DRAIN, "w-1", "idle for 12 min, limit 10 min")
    assert (action.size, action.cloud, action.flavour) == (a_size(), "docker", "small"), "as it was asked for"


def drained_after(seconds: float, price: float = 1.0, policy: Policy | None = None) -> bool:
    """Whether an idle worker is drained then, of which others took 90 s to join."""
    flavour = SMALL.model_copy(update={"price": price})
    worker, point = a_known_worker(flavour=flavour), a_point(flavour=flavour)
    start = SeenStart(worker="w-0", cloud=SMALL.cloud, flavour=SMALL.name, seconds=90, joined_at=NOON - minutes(5))
    now = NOON + minutes(seconds / 60)
    plan = plan_for(policy or Policy(), now=now, workers=(worker,), execute_points=(point,), seen_starts=(start,))
    return acts(plan) == [(DRAIN, "w-1")]


def test_a_worker_that_costs_something_is_kept_idle_as_long_as_another_takes_to_join() -> None:
    assert (drained_after(89), drained_after(90)) == (False, True)
    assert (drained_after(179, policy=Policy(idle_boots=2)), drained_after(180, policy=Policy(idle_boots=2))) == (
        False,
        True,
    )


def test_a_worker_that_costs_nothing_is_kept_for_all_of_the_idle_time() -> None:
    assert (drained_after(599, price=0), drained_after(600, price=0)) == (False, True)


def test_the_idle_time_is_the_most_and_a_minute_the_least_that_a_worker_is_kept() -> None:
    assert (drained_after(599, policy=Policy(idle_boots=9)), drained_after(600, policy=Policy(idle_boots=9))) == (
        False,
        True,
    )
    assert (drained_after(59, policy=Policy(idle_boots=0.1)), drained_after(60, policy=Policy(idle_boots=0.1))) == (
        False,
        True,
    )
    assert (drained_after(599, policy=Policy(idle_boots=0)), drained_after(600, policy=Policy(idle_boots=0))) == (
        False,
        True,
    )
    assert drained_after(30, policy=Policy(idle_time_s=30)), "whatever a worker takes to join"


def test_a_claimed_worker_is_left_alone() -> None:
    for wish in (Wish.PRESENT, Wish.DRAINED):
        workers = (a_known_worker(wish=wish, phase=WorkerPhase.DRAINED),)
        points = (a_point(busy_cpus=1, idle_since=NOON, draining=wish is Wish.DRAINED),)
        assert acts(plan_for(now=LATER, workers=workers, execute_points=points)) == []


def test_demand_beats_the_idle_timer() -> None:
    plan = plan_for(now=LATER, workers=(a_known_worker(),), execute_points=(a_point(),), demand=(a_demand(),))
    assert acts(plan) == []


def test_the_emptier_of_two_workers_goes() -> None:
    workers = (a_known_worker("w-1"), a_known_worker("w-2"))
    points = (a_point("w-1"), a_point("w-2", busy_cpus=1))
    assert acts(plan_for(now=LATER, workers=workers, execute_points=points, demand=(a_demand(),))) == [(DRAIN, "w-1")]


def test_somebodys_own_machine_is_never_touched() -> None:
    assert acts(plan_for(now=LATER, execute_points=(a_point("own"),))) == []


def test_a_worker_that_never_joined_is_not_idle() -> None:
    assert acts(plan_for(now=LATER, workers=(a_known_worker(phase=WorkerPhase.LAUNCHED),))) == []


def test_a_worker_of_which_nobody_knows_since_when_it_is_idle_stays() -> None:
    point = a_point().model_copy(update={"idle_since": None})
    assert acts(plan_for(now=LATER, workers=(a_known_worker(),), execute_points=(point,))) == []


def test_a_drained_worker_is_deleted() -> None:
    for phase, draining in ((WorkerPhase.DRAINED, True), (WorkerPhase.DRAINING, True), (WorkerPhase.DRAINED, False)):
        workers, points = (a_known_worker(phase=phase, wish=Wish.DRAINED),), (a_point(draining=draining),)
        plan = plan_for(workers=workers, execute_points=points)
        assert acts(plan) == [(DELETE, "w-1")]
        assert plan.actions[0].reason == "drained, it runs nothing"


def test_a_worker_whose_drain_has_not_begun_is_not_deleted() -> None:
    assert acts(plan_for(workers=(a_known_worker(wish=Wish.DRAINED),), execute_points=(a_point(),))) == []


def test_a_drained_worker_that_the_collector_does_not_hear_is_not_deleted() -> None:
    drained = (a_known_worker(phase=WorkerPhase.DRAINED, wish=Wish.DRAINED),)
    assert acts(plan_for(workers=drained, collector_started_at=NOON)) == []
    assert acts(plan_for(workers=drained)) == []


def test_an_idle_worker_of_the_wrong_size_makes_way_in_a_full_pool() -> None:
    workers = (a_known_worker("w-1"), a_known_worker("w-2", flavour=LARGE))
    points = (a_point("w-1"), a_point("w-2", busy_cpus=16, flavour=LARGE))
    clouds = (a_cloud(flavours=(SMALL, LARGE)),)
    big = (a_demand(size=a_size(16)),)
    full, not_full = Policy(max_workers=2), Policy(max_workers=3)
    state = {"workers": workers, "execute_points": points, "clouds": clouds}
    assert acts(plan_for(full, **state, demand=big)) == [(DRAIN, "w-1")]
    assert acts(plan_for(not_full, **state, demand=big)) == [(CREATE, "new-1")]
    assert acts(plan_for(full, **state)) == [], "nobody waits"
    assert acts(plan_for(full, **state, demand=(a_demand(size=a_size(64)),))) == [], "it would be of no use"


def test_an_idle_worker_makes_way_on_a_full_cloud_and_not_elsewhere() -> None:
    there = a_flavour(cloud="other", name="elsewhere")
    clouds = (a_cloud(limit=1, flavours=(SMALL, LARGE)), a_cloud(name="other", limit=1, flavours=(there,)))
    workers = (a_known_worker("w-1", flavour=there), a_known_worker("w-2"))
    points = (a_point("w-1", flavour=there), a_point("w-2"))
    plan = plan_for(workers=workers, execute_points=points, clouds=clouds, demand=(a_demand(size=a_size(16)),))
    assert acts(plan) == [(DRAIN, "w-2")]


def test_no_more_idle_workers_make_way_than_are_in_the_way() -> None:
    workers = tuple(a_known_worker(f"w-{n}") for n in range(1, 4))
    points = tuple(a_point(f"w-{n}") for n in range(1, 4))
    state = {"execute_points": points, "clouds": (a_cloud(flavours=(SMALL, LARGE)),)}
    demand = (a_demand(size=a_size(16)),)
    policy = Policy(max_workers=3)
    assert acts(plan_for(policy, workers=workers, **state, demand=demand)) == [(DRAIN, "w-1")]
    going = (a_known_worker("w-1", wish=Wish.DRAINED), *workers[1:])
    assert acts(plan_for(policy, workers=going, **state, demand=demand)) == [], "one goes already"
