"""Every waiting job has a reason that its user can read."""

from __future__ import annotations

from builders import NOON, a_cloud, a_demand, a_flavour, a_size, an_execute_point, minutes
from builders_scaler import LARGE, SMALL, a_known_worker, a_point, plan_for

from prominence.core.machines import Wish, WorkerPhase
from prominence.core.reasons import Reason
from prominence.core.scaling import Explanation, ScalingPlan
from prominence.scaler.policy import Policy


def the_only(plan: ScalingPlan) -> Explanation:
    (explanation,) = plan.explanations
    return explanation


def test_a_job_that_a_worker_has_room_for_is_being_matched() -> None:
    plan = plan_for(workers=(a_known_worker(),), execute_points=(a_point(),), demand=(a_demand(),))
    assert the_only(plan).reason is Reason.MATCHING
    saved = plan_for(
        workers=(a_known_worker(wish=Wish.DRAINED),), execute_points=(a_point(draining=True),), demand=(a_demand(),)
    )
    assert the_only(saved).reason is Reason.MATCHING


def test_a_job_for_which_a_worker_was_ordered_is_told_which() -> None:
    now, before = plan_for(demand=(a_demand(),)), a_known_worker(phase=WorkerPhase.REQUESTED)
    assert the_only(now).sentence() == "Worker new-1 (small) has been ordered for it."
    again = plan_for(workers=(before,), demand=(a_demand(),))
    assert the_only(again).sentence() == "Worker w-1 (small) has been ordered for it."


def test_a_job_for_which_a_worker_boots_is_told_which() -> None:
    plan = plan_for(workers=(a_known_worker(phase=WorkerPhase.LAUNCHED),), demand=(a_demand(),))
    assert the_only(plan).sentence() == "Worker w-1 (small) is starting for it."


def test_jobs_for_which_several_workers_boot_are_counted_together_and_told_the_first() -> None:
    workers = tuple(a_known_worker(name, WorkerPhase.LAUNCHED) for name in ("w-1", "w-2"))
    explanation = the_only(plan_for(workers=workers, demand=(a_demand(jobs=7),)))
    assert (explanation.reason, explanation.jobs, explanation.details["worker"]) == (Reason.WORKER_BOOTING, 7, "w-1")


def test_a_job_in_a_full_pool_is_told_the_limit() -> None:
    plan = plan_for(Policy(max_workers=0), demand=(a_demand(),))
    assert the_only(plan).sentence() == "The pool has 0 of 0 workers that it may have; the job waits for room."


def test_a_job_that_fits_no_flavour_is_told_the_nearest_and_what_it_lacks() -> None:
    clouds = (a_cloud(flavours=(SMALL, LARGE)),)
    explanation = the_only(plan_for(clouds=clouds, demand=(a_demand(size=a_size(64, 32000, 1024)),)))
    assert explanation.reason is Reason.NO_FLAVOUR_FITS
    assert explanation.details["detail"] == (
        "the nearest is large with 16 cores, 16 GB memory, 160 GB disk; the job asks for 64 cores and 32 GB memory"
    )


def test_the_nearest_flavour_lacks_the_fewest_things() -> None:
    narrow = a_flavour(name="narrow", size=a_size(2, 99000, 999 * 1024))
    clouds = (a_cloud(flavours=(SMALL, narrow)),)
    explanation = the_only(plan_for(clouds=clouds, demand=(a_demand(size=a_size(5, 5000, 1024)),)))
    assert explanation.details["detail"].startswith("the nearest is narrow")
    assert explanation.details["detail"].endswith("the job asks for 5 cores")


def test_a_job_with_gpus_in_a_pool_without_any_is_told_so() -> None:
    explanation = the_only(plan_for(demand=(a_demand(size=a_size(gpus=2)),)))
    assert explanation.reason is Reason.NO_FLAVOUR_FITS
    assert "the job asks for 2 GPUs" in explanation.sentence()


def test_a_job_with_gpus_is_matched_where_there_are_enough() -> None:
    total = a_size(4, 4000, 40 * 1024, gpus=2)
    demand = a_demand(size=a_size(gpus=2), jobs=2)
    plan = plan_for(execute_points=(an_execute_point(total=total),), demand=(demand,))
    assert {(one.reason, one.jobs) for one in plan.explanations} == {(Reason.MATCHING, 1), (Reason.NO_CAPACITY, 1)}


def test_a_pool_without_flavours_says_so() -> None:
    explanation = the_only(plan_for(clouds=(), demand=(a_demand(),)))
    assert (explanation.reason, explanation.details["detail"]) == (
        Reason.NO_FLAVOUR_FITS,
        "no cloud offers any machine",
    )


def test_a_cloud_that_cannot_say_what_it_offers_is_no_verdict_on_the_job() -> None:
    explanation = the_only(plan_for(clouds=(a_cloud(flavours=(), error="the daemon is away"),), demand=(a_demand(),)))
    assert explanation.sentence() == "No cloud has room at the moment: docker: the daemon is away."


def test_a_job_that_only_a_busy_machine_can_hold_waits_for_that_one() -> None:
    point = a_point("own", busy_cpus=16, flavour=LARGE)
    explanation = the_only(plan_for(execute_points=(point,), demand=(a_demand(size=a_size(16)),)))
    assert explanation.sentence() == "No cloud has room at the moment: it fits on own only, which is in use."


def test_a_machine_that_is_going_is_no_hope() -> None:
    worker = a_known_worker("w-1", flavour=LARGE, wish=Wish.ABSENT)
    point = a_point("w-1", busy_cpus=16, flavour=LARGE)
    plan = plan_for(workers=(worker,), execute_points=(point,), demand=(a_demand(size=a_size(16)),))
    assert the_only(plan).reason is Reason.NO_FLAVOUR_FITS


def test_a_job_held_up_by_a_cloud_is_told_why() -> None:
    trouble = a_cloud(error="the daemon is away", retry_at=NOON + minutes(1))
    held_up = the_only(plan_for(clouds=(trouble,), demand=(a_demand(),)))
    assert (held_up.reason, held_up.details) == (
        Reason.NO_CAPACITY,
        {"detail": "docker: the daemon is away", "until": "2026-06-01T12:01:00+00:00"},
    )
    full = the_only(plan_for(clouds=(a_cloud(limit=0),), demand=(a_demand(),)))
    assert (full.reason, full.details) == (Reason.CLOUD_LIMIT, {"detail": "docker has 0 of 0 workers"})


def test_a_job_held_up_by_different_things_is_told_all_of_them() -> None:
    clouds = (
        a_cloud(limit=0),
        a_cloud(name="other", flavours=(a_flavour(cloud="other"),), error="its key is refused"),
    )
    explanation = the_only(plan_for(clouds=clouds, demand=(a_demand(),)))
    assert (explanation.reason, explanation.details) == (
        Reason.NO_CAPACITY,
        {"detail": "docker has 0 of 0 workers; other: its key is refused"},
    )


def test_jobs_that_differ_in_their_nodes_alone_have_explanations_of_their_own() -> None:
    plan = plan_for(Policy(max_workers=0), demand=(a_demand(jobs=4, nodes=2), a_demand(jobs=3)))
    assert [(one.nodes, one.jobs) for one in plan.explanations] == [(1, 3), (2, 4)]


def test_a_job_whose_ordered_worker_a_troubled_cloud_owes_is_told_why() -> None:
    plan = plan_for(
        workers=(a_known_worker(phase=WorkerPhase.REQUESTED),),
        clouds=(a_cloud(error="the daemon is away"),),
        demand=(a_demand(),),
    )
    assert the_only(plan).sentence() == "No cloud has room at the moment: docker: the daemon is away."


def test_a_job_held_up_by_failures_is_told_until_when_and_why() -> None:
    failed = tuple(
        a_known_worker(f"w-{n}", WorkerPhase.FAILED, reason="it did not join the pool within 5 min") for n in (1, 2)
    )
    explanation = the_only(plan_for(workers=failed, demand=(a_demand(),)))
    assert explanation.reason is Reason.BACK_OFF
    assert explanation.details["until"] == "2026-06-01T12:00:30+00:00"
    assert explanation.details["detail"] == (
        "small on docker failed 2 times, the next try is at 12:00:30 UTC (it did not join the pool within 5 min)"
    )


def test_a_job_beyond_the_share_of_this_round_is_queued_for_the_next() -> None:
    plan = plan_for(Policy(creations_per_round=1), demand=(a_demand(jobs=8),))
    assert [(one.reason, one.jobs) for one in plan.explanations] == [(Reason.WORKER_REQUESTED, 4), (Reason.QUEUED, 4)]


def test_each_user_and_group_has_explanations_of_their_own() -> None:
    demand = (a_demand(user="alice"), a_demand(user="bob"), a_demand(user="alice", group="physics", jobs=2))
    explained = [(one.group, one.user, one.jobs) for one in plan_for(demand=demand).explanations]
    assert explained == [("", "alice", 1), ("", "bob", 1), ("physics", "alice", 2)]


def test_what_will_start_soonest_is_said_first() -> None:
    plan = plan_for(
        Policy(max_workers=2),
        workers=(a_known_worker(), a_known_worker("w-2", WorkerPhase.LAUNCHED)),
        execute_points=(a_point(busy_cpus=3),),
        demand=(a_demand(jobs=7),),
    )
    assert [(one.reason, one.jobs) for one in plan.explanations] == [
        (Reason.MATCHING, 1),
        (Reason.WORKER_BOOTING, 4),
        (Reason.POOL_LIMIT, 2),
    ]


def test_a_job_is_told_which_cloud_refused_its_worker() -> None:
    worker = a_known_worker(phase=WorkerPhase.LAUNCHED, refusals=("amazon/m5.large: sold out",))
    [one] = plan_for(demand=(a_demand(),), workers=(worker,)).explanations
    assert one.sentence() == "Worker w-1 (small, after amazon/m5.large: sold out) is starting for it."
