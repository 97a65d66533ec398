"""What waits to save money, for what, and until when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from builders import NOON, a_cloud, a_demand, a_flavour, a_size, a_snapshot, minutes
from builders_scaler import Scaling, a_known_worker, a_point, acts, plan_for
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.machines import CloudStatus, Flavour, Wish, WorkerPhase
from prominence.core.reasons import Reason
from prominence.core.scaling import Act, Cause, ScalingPlan
from prominence.core.snapshot import Demand, SeenStart, SeenWait
from prominence.scaler.adapters.memory import PretendPool
from prominence.scaler.catalogue import kind_of
from prominence.scaler.dear import kinds
from prominence.scaler.policy import Policy
from prominence.scaler.telling import told

PATIENT = Policy(patience_s=600)
OWN = a_flavour(cloud="own", name="own-4", price=1.0)
PUBLIC = a_flavour(cloud="public", name="public-4", price=2.0)
FOR_LONG = NOON - minutes(1)
FULL = a_known_worker("w-0", flavour=OWN), a_point("w-0", 4, OWN)


def clouds(own: int = 5, public: int = 5) -> tuple[CloudStatus, ...]:
    return a_cloud(name="own", flavours=(OWN,), limit=own), a_cloud(name="public", flavours=(PUBLIC,), limit=public)


def a_wait(demand: Demand, since: datetime = NOON, jobs: int | None = None) -> SeenWait:
    """So many of these jobs wait since then; None: all."""
    return SeenWait(
        size=demand.size,
        user=demand.user,
        group=demand.group,
        nodes=demand.nodes,
        jobs=jobs or demand.jobs,
        since=since,
    )


def plan_of(*demand: Demand, waits: tuple[SeenWait, ...] | None = None, **snapshot: Any) -> ScalingPlan:
    """By a policy with ten minutes of patience. waits: None: all have just come."""
    policy = snapshot.pop("policy", PATIENT)
    seen = tuple(map(a_wait, demand)) if waits is None else waits
    return plan_for(policy, **{"clouds": clouds(), **snapshot}, demand=demand, seen_waits=seen)


def created(plan: ScalingPlan) -> list[str]:
    return [action.flavour for action in plan.actions if action.act is Act.CREATE]


def reasons(plan: ScalingPlan) -> list[tuple[Reason, int]]:
    return [(one.reason, one.jobs) for one in plan.explanations]


def test_without_patience_a_job_gets_a_machine_at_once() -> None:
    assert created(plan_of(a_demand(), policy=Policy())) == ["own-4"]


def test_a_job_that_has_just_come_waits_and_is_told_until_when() -> None:
    plan = plan_of(a_demand())
    assert plan.actions == ()
    (one,) = plan.explanations
    assert one.reason is Reason.PATIENCE
    assert one.details["until"] == (NOON + minutes(10)).isoformat()
    assert "until 12:10:00 UTC at the latest, as the pool's policy has a patience of 10 min" in one.sentence()


def test_a_job_whose_patience_is_over_gets_a_machine_of_the_cheap_cloud() -> None:
    one = a_demand()
    assert created(plan_of(one, waits=(a_wait(one, NOON - minutes(10)),))) == ["own-4"]


def test_and_of_the_dear_one_where_the_cheap_one_is_full() -> None:
    one = a_demand()
    late = (a_wait(one, NOON - minutes(10)),)
    worker, point = FULL
    assert created(plan_of(one, waits=late, clouds=clouds(own=1), workers=(worker,), execute_points=(point,))) == [
        "public-4"
    ]


def test_a_cheap_machine_is_ordered_as_soon_as_jobs_fill_it_and_others_wait() -> None:
    plan = plan_of(a_demand(jobs=7))
    assert created(plan) == ["own-4"]
    assert reasons(plan) == [(Reason.WORKER_REQUESTED, 4), (Reason.PATIENCE, 3)]


@pytest.mark.parametrize(
    ("price", "jobs", "ordered"),
    [
        (2.0, 7, []),  # as many places as there are for machines, there are for large ones
        (2.0, 8, ["own-8"]),
        (3.0, 7, ["own-4"]),  # whose cores are dearer is not what a place is kept for
    ],
)
def test_no_place_of_a_cheap_cloud_is_for_a_machine_if_a_larger_one_is_as_cheap(
    price: float, jobs: int, ordered: list[str]
) -> None:
    large = a_flavour(cloud="own", name="own-8", price=price, size=a_size(8, 8000, 80 * 1024))
    own, public = clouds()
    plan = plan_of(a_demand(jobs=jobs), clouds=(own.model_copy(update={"flavours": (OWN, large)}), public))
    assert created(plan) == ordered


def test_a_dear_machine_is_not_however_many_jobs_fill_it() -> None:
    worker, point = FULL
    plan = plan_of(a_demand(jobs=40), clouds=clouds(own=1), workers=(worker,), execute_points=(point,))
    assert plan.actions == ()


def test_young_jobs_share_the_machine_that_comes_for_one_whose_patience_is_over() -> None:
    one = a_demand(jobs=2)
    waits = (a_wait(one, NOON - minutes(10), 1), a_wait(one, NOON, 1))
    plan = plan_of(one, waits=waits)
    assert created(plan) == ["own-4"]
    assert reasons(plan) == [(Reason.WORKER_REQUESTED, 1), (Reason.PATIENCE, 1)]
    coming = a_known_worker("w-1", WorkerPhase.LAUNCHED, OWN)
    plan = plan_of(one, waits=waits, workers=(coming,))
    assert plan.actions == ()
    assert reasons(plan) == [(Reason.WORKER_BOOTING, 2)], "told as one"


def test_jobs_of_which_nobody_knows_since_when_they_wait_have_waited_long_enough() -> None:
    assert created(plan_of(a_demand(), waits=())) == ["own-4"]


def test_jobs_of_several_nodes_do_not_wait() -> None:
    assert created(plan_of(a_demand(jobs=2, nodes=2))) == ["own-4"]


def test_room_goes_to_those_first_whose_patience_is_over() -> None:
    late, big = a_demand(), a_demand(size=a_size(4, 4000), user="bob")
    waits = (a_wait(late, NOON - minutes(11)), a_wait(big))
    coming = a_known_worker("w-1", WorkerPhase.LAUNCHED, OWN)
    plan = plan_of(late, big, waits=waits, workers=(coming,), clouds=clouds(own=1, public=0))
    assert reasons(plan)[0] == (Reason.WORKER_BOOTING, 1)
    assert plan.actions == ()


@pytest.mark.parametrize(
    ("demand", "policy", "reason"),
    [
        (a_demand(size=a_size(64)), PATIENT, Reason.NO_FLAVOUR_FITS),
        (a_demand(), Policy(patience_s=600, max_workers=0), Reason.POOL_LIMIT),
    ],
)
def test_what_would_keep_a_machine_away_all_the_same_is_told_at_once(
    demand: Demand, policy: Policy, reason: Reason
) -> None:
    assert reasons(plan_of(demand, policy=policy)) == [(reason, 1)]


def test_a_start_is_expected_now_at_the_earliest_and_after_the_patience_at_the_latest() -> None:
    start = SeenStart(worker="w-0", cloud="own", flavour="own-4", seconds=60, joined_at=NOON)
    demand = a_demand()
    plan = plan_of(demand, seen_starts=(start,))
    for starts, latest_s in (((), None), ((start,), 600 + 1.5 * 60 + 20)):
        (one,) = told(plan, a_snapshot(demand=(demand,), seen_starts=starts), "", PATIENT, None).explanations
        assert one.start
        assert (one.start.soonest_s, one.start.latest_s) == (0, latest_s)


def test_a_dear_worker_takes_no_more_jobs_as_long_as_there_is_patience() -> None:
    worker, point = a_known_worker("w-1", flavour=PUBLIC), a_point("w-1", 1, PUBLIC)
    plan = plan_of(workers=(worker,), execute_points=(point,))
    assert [(one.act, one.cause) for one in plan.actions] == [(Act.DRAIN, Cause.DEAR)]
    assert plan_of(workers=(worker,), execute_points=(point,), policy=Policy()).actions == ()
    least = Policy(patience_s=600, min_workers=1)
    assert plan_of(workers=(worker,), execute_points=(point,), policy=least).actions == ()


def test_a_dear_worker_that_a_waiting_job_has_room_on_stays() -> None:
    worker, point = a_known_worker("w-1", flavour=PUBLIC), a_point("w-1", 1, PUBLIC)
    assert plan_of(a_demand(), workers=(worker,), execute_points=(point,)).actions == ()


def test_it_takes_jobs_again_whose_patience_is_over_and_no_others() -> None:
    worker = a_known_worker("w-1", WorkerPhase.DRAINING, PUBLIC, wish=Wish.DRAINED)
    point = a_point("w-1", 1, PUBLIC, draining=True)
    one = a_demand()
    late = (a_wait(one, NOON - minutes(10)),)
    assert acts(plan_of(one, workers=(worker,), execute_points=(point,))) == []
    assert acts(plan_of(one, waits=late, workers=(worker,), execute_points=(point,))) == [(Act.UNDRAIN, "w-1")]


def test_a_cheap_worker_that_was_to_go_takes_any_job() -> None:
    worker = a_known_worker("w-1", WorkerPhase.DRAINED, OWN, wish=Wish.DRAINED)
    plan = plan_of(a_demand(), workers=(worker,), execute_points=(a_point("w-1", 0, OWN, draining=True),))
    assert acts(plan) == [(Act.UNDRAIN, "w-1")]


def test_a_cheap_worker_and_one_with_what_no_cheap_one_has_stay() -> None:
    gpus = a_flavour(cloud="public", name="gpu", price=9.0, size=a_size(4, 4000, 40 * 1024, 1))
    offered = (*clouds(), a_cloud(name="other", flavours=(gpus,)))
    for flavour in (OWN, gpus):
        worker, point = a_known_worker("w-1", flavour=flavour), a_point("w-1", 2, flavour)
        assert plan_of(workers=(worker,), execute_points=(point,), clouds=offered).actions == ()


def test_a_worker_that_is_hardly_used_takes_no_more_jobs_as_long_as_there_is_patience() -> None:
    worker, point = a_known_worker("w-1", flavour=OWN), a_point("w-1", 1, OWN, hardly_used_since=FOR_LONG)
    (drain,) = plan_of(workers=(worker,), execute_points=(point,)).actions
    assert (drain.act, drain.cause) == (Act.DRAIN, Cause.DEAR)
    assert drain.reason == "it is hardly used: while there is patience it takes no more jobs, and what it runs goes on"
    assert plan_of(workers=(worker,), execute_points=(point,), policy=Policy()).actions == ()
    least = Policy(patience_s=600, min_workers=1)
    assert plan_of(workers=(worker,), execute_points=(point,), policy=least).actions == ()


def test_one_that_was_well_used_a_moment_ago_takes_them() -> None:
    """The queue may tell that a job runs before the collector tells that its room is taken."""
    worker, point = a_known_worker("w-1", flavour=OWN), a_point("w-1", 1, OWN, hardly_used_since=NOON - minutes(0.9))
    assert plan_of(workers=(worker,), execute_points=(point,)).actions == ()


def test_one_that_costs_nothing_takes_them() -> None:
    free = a_flavour(cloud="own", name="own-4", price=0.0)
    offered = (a_cloud(name="own", flavours=(free,)),)
    worker, point = a_known_worker("w-1", flavour=free), a_point("w-1", 1, free, hardly_used_since=FOR_LONG)
    assert plan_of(workers=(worker,), execute_points=(point,), clouds=offered).actions == ()


@pytest.mark.parametrize(("jobs", "takes"), [(2, False), (3, True)])
def test_a_worker_that_is_hardly_used_takes_jobs_again_that_use_it_well(jobs: int, takes: bool) -> None:
    large = a_flavour(cloud="own", name="own-8", price=2.0, size=a_size(8, 8000, 80 * 1024))
    offered = (a_cloud(name="own", flavours=(large,)),)
    worker = a_known_worker("w-1", WorkerPhase.DRAINING, large, wish=Wish.DRAINED)
    point = a_point("w-1", 1, large, draining=True, hardly_used_since=FOR_LONG)
    plan = plan_of(a_demand(jobs=jobs), workers=(worker,), execute_points=(point,), clouds=offered)
    assert acts(plan) == ([(Act.UNDRAIN, "w-1")] if takes else [])
    assert (Reason.PATIENCE in {one.reason for one in plan.explanations}) is not takes


def test_and_one_whose_patience_is_over() -> None:
    worker = a_known_worker("w-1", WorkerPhase.DRAINING, OWN, wish=Wish.DRAINED)
    point = a_point("w-1", 1, OWN, draining=True, hardly_used_since=FOR_LONG)
    memory = a_demand(size=a_size(1, 100, 1024))
    late = (a_wait(memory, NOON - minutes(10)),)
    assert acts(plan_of(memory, waits=late, workers=(worker,), execute_points=(point,))) == [(Act.UNDRAIN, "w-1")]


def test_jobs_that_run_on_one_cloud_only_wait_for_room_there_however_many_they_are() -> None:
    jobs = a_demand(jobs=8)
    own = (clouds()[0],)
    assert created(plan_of(jobs, clouds=own)) == [], "no place that a dearer machine would stand for"
    assert created(plan_of(jobs)) == ["own-4"] * 2
    assert created(plan_of(jobs, clouds=own, waits=(a_wait(jobs, NOON - minutes(10)),))) == ["own-4"] * 2


def test_no_job_waits_for_longer_than_the_patience_and_a_start() -> None:
    pool = PretendPool(offered=clouds(own=1), now=NOON)
    pool.submit(a_size(), "alice", jobs=30, runs_for=timedelta(hours=5))
    Scaling(pool, Policy(patience_s=300)).rounds(80)
    assert sum(job.is_running for job in pool.jobs) == 24, "as many as all machines hold"
    assert max(job.started_at for job in pool.jobs if job.started_at) <= NOON + minutes(6)


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 9), st.sampled_from([0.0, 1.0, 2.0, 4.0])), min_size=1))
def test_of_all_flavours_some_are_never_dear(offered: list[tuple[int, int, float]]) -> None:
    flavours: list[Flavour] = [
        a_flavour(name=f"f-{number}", size=a_size(cpus, 1000 * cpus, 1024, gpus), price=price)
        for number, (cpus, gpus, price) in enumerate(offered)
    ]
    dear = kinds(flavours)
    assert dear < {kind_of(flavour) for flavour in flavours}
    assert not any(flavour.price == 0 and kind_of(flavour) in dear for flavour in flavours)
