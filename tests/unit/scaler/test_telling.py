"""What a plan tells besides what to do: when jobs may start, since when they wait so, what was looked at."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from builders import NOON, a_demand, a_size, a_snapshot, minutes
from builders_scaler import SMALL, Scaling, a_known_worker, a_point, a_pretend_pool, plan_for
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.machines import WorkerPhase
from prominence.core.published import packed_snapshot
from prominence.core.reasons import Reason
from prominence.core.scaling import Explanation, ScalingPlan, Start
from prominence.core.snapshot import PoolSnapshot, SeenStart
from prominence.scaler import starts
from prominence.scaler.policy import Policy
from prominence.scaler.starts import UsualStarts
from prominence.scaler.telling import told

POLICY = Policy()


def a_start(seconds: float = 30, worker: str = "w-0", **changes: str) -> SeenStart:
    kind = {"cloud": "docker", "flavour": "small", **changes}
    return SeenStart(worker=worker, seconds=seconds, joined_at=NOON - minutes(5), **kind)


def explained(snapshot: PoolSnapshot, policy: Policy = POLICY, before: ScalingPlan | None = None) -> ScalingPlan:
    parts = {name: getattr(snapshot, name) for name in PoolSnapshot.model_fields}
    return told(plan_for(policy, **parts), snapshot, packed_snapshot(snapshot).sha256, policy, before)


def the_start(snapshot: PoolSnapshot, policy: Policy = POLICY) -> Start:
    (one,) = explained(snapshot, policy).explanations
    assert one.start is not None
    return one.start


def test_a_job_whose_worker_boots_starts_as_long_after_its_order_as_others_took() -> None:
    ordered = NOON - timedelta(seconds=10)
    worker = a_known_worker(phase=WorkerPhase.LAUNCHED, requested_at=ordered)
    seen = (a_start(30), a_start(50, "w-9"))
    start = the_start(a_snapshot(workers=(worker,), demand=(a_demand(),), seen_starts=seen))
    assert (start.since, start.soonest_s, start.latest_s) == (ordered, 30, 50 * 1.5 + 20)
    assert start.basis == "small on docker took 30 s to 50 s to start, 2 times"


def test_a_job_whose_worker_is_ordered_now_counts_from_now() -> None:
    start = the_start(a_snapshot(demand=(a_demand(),), seen_starts=(a_start(),)))
    assert (start.since, start.soonest_s, start.basis) == (NOON, 30, "small on docker took 30 s to start, once")


def test_where_no_worker_was_ever_seen_to_start_that_is_said() -> None:
    start = the_start(a_snapshot(demand=(a_demand(),)))
    assert (start.soonest_s, start.latest_s) == (None, None)
    assert "no worker has been seen to start yet" in start.basis


def test_a_flavour_that_was_not_seen_yet_goes_by_its_cloud_and_then_by_all() -> None:
    known = UsualStarts((a_start(10), a_start(20, flavour="large"), a_start(90, cloud="other")))
    for kind, bounds in (
        (("docker", "small"), (10, 10)),
        (("docker", "new"), (10, 20)),
        (("new", "new"), (10, 90)),
    ):
        usual = known.of(kind)
        assert usual is not None and (usual.least_s, usual.most_s) == bounds
    assert UsualStarts(()).of(("docker", "small")) is None


def test_a_job_behind_a_limit_has_no_estimate_and_is_told_why() -> None:
    start = the_start(a_snapshot(demand=(a_demand(),), seen_starts=(a_start(),)), Policy(max_workers=0))
    assert start == Start(basis="it depends on how long the jobs that have room run")


def test_a_job_behind_failures_starts_no_earlier_than_the_next_try() -> None:
    failed = tuple(a_known_worker(f"w-{n}", WorkerPhase.FAILED) for n in (1, 2))
    start = the_start(a_snapshot(workers=failed, demand=(a_demand(),), seen_starts=(a_start(),)))
    assert (start.since, start.soonest_s, start.latest_s) == (NOON + timedelta(seconds=30), 30, None)


def test_all_workers_that_jobs_wait_for_count() -> None:
    workers = tuple(
        a_known_worker(f"w-{n}", WorkerPhase.LAUNCHED, requested_at=NOON - timedelta(seconds=10 * n)) for n in (1, 2)
    )
    snapshot = a_snapshot(workers=workers, demand=(a_demand(jobs=7),), seen_starts=(a_start(30),))
    (one,) = explained(snapshot).explanations
    assert one.workers == ("w-1", "w-2")
    assert one.start is not None
    assert (one.start.since, one.start.soonest_s, one.start.latest_s) == (NOON - timedelta(seconds=20), 30, 10 + 65)


def test_it_is_remembered_since_when_jobs_wait_so() -> None:
    snapshot = a_snapshot(demand=(a_demand(),))
    first = explained(snapshot, Policy(max_workers=0))
    assert [one.since for one in first.explanations] == [NOON]
    earlier = first.model_copy(
        update={
            "explanations": tuple(one.model_copy(update={"since": NOON - minutes(9)}) for one in first.explanations)
        }
    )
    again = explained(snapshot, Policy(max_workers=0), earlier)
    assert [one.since for one in again.explanations] == [NOON - minutes(9)]
    other = explained(snapshot, POLICY, earlier)
    assert [(one.reason, one.since) for one in other.explanations] == [(Reason.WORKER_REQUESTED, NOON)]


def test_what_was_looked_at_is_told_with_its_age_and_a_digest() -> None:
    read_at = {"demand": NOON, "workers": NOON - minutes(3)}
    snapshot = a_snapshot(workers=None, unknown={"workers": "imc is away"}, read_at=read_at, demand=(a_demand(),))
    plan = explained(snapshot)
    assert plan.inputs is not None
    assert plan.inputs.snapshot == hashlib.sha256(snapshot.model_dump_json().encode()).hexdigest()
    assert (plan.inputs.parts["demand"].read_at, plan.inputs.parts["demand"].trouble) == (NOON, "")
    assert (plan.inputs.parts["workers"].read_at, plan.inputs.parts["workers"].trouble) == (
        NOON - minutes(3),
        "imc is away",
    )
    assert [one.reason for one in plan.explanations] == [Reason.POOL_UNKNOWN]


def test_a_start_is_seen_once_when_a_worker_that_was_coming_has_joined() -> None:
    coming = a_known_worker(phase=WorkerPhase.LAUNCHED, requested_at=NOON)
    there = a_known_worker(requested_at=NOON, phase_since=NOON + timedelta(seconds=40))
    before = a_snapshot(workers=(coming,))
    seen = starts.seen((there,), before)
    assert [(one.worker, one.cloud, one.flavour, one.seconds) for one in seen] == [("w-1", "docker", "small", 40)]
    after = a_snapshot(workers=(there,), seen_starts=seen)
    assert starts.seen((there,), after) == seen
    assert starts.seen((), after) == seen, "it is remembered when the worker is gone"


def test_a_worker_that_came_back_from_a_drain_or_was_there_before_is_no_start() -> None:
    back = a_known_worker(phase_since=NOON + minutes(60))
    for phase in (WorkerPhase.DRAINING, WorkerPhase.DRAINED, WorkerPhase.REGISTERED):
        assert starts.seen((back,), a_snapshot(workers=(a_known_worker(phase=phase),))) == ()
    assert starts.seen((back,), None) == ()
    assert starts.seen((back,), a_snapshot(workers=None)) == ()
    assert starts.seen((back,), a_snapshot(workers=(), taken_at=NOON + minutes(1))) == ()


def test_a_worker_that_was_ordered_and_joined_between_two_looks_is_a_start() -> None:
    quick = a_known_worker(requested_at=NOON + minutes(1), phase_since=NOON + minutes(2))
    assert [one.seconds for one in starts.seen((quick,), a_snapshot(workers=()))] == [60]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["small", "large"])), max_size=60))
def test_ten_starts_of_each_flavour_are_remembered_the_latest(of: list[tuple[str, str]]) -> None:
    workers = [
        a_known_worker(
            f"w-{number}",
            flavour=SMALL.model_copy(update={"cloud": cloud, "name": name}),
            requested_at=NOON + minutes(1),
            phase_since=NOON + minutes(2 + number),
        )
        for number, (cloud, name) in enumerate(of)
    ]
    seen = starts.seen(workers, a_snapshot(workers=()))
    for kind in set(of):
        expected = [f"w-{number}" for number, one in enumerate(of) if one == kind][-10:]
        assert [one.worker for one in seen if (one.cloud, one.flavour) == kind] == expected


def test_the_reckoned_start_of_a_job_comes_true() -> None:
    pool = a_pretend_pool(SMALL)
    pool.submit(a_size(4, 4000), "alice", runs_for=timedelta(hours=1))
    scaling = Scaling(pool)
    scaling.rounds(20)
    pool.submit(a_size(4, 4000), "bob", runs_for=timedelta(hours=1))
    snapshots = [scaling.round_and_look() for _ in range(20)]
    told_of_bob: list[Explanation] = [
        one
        for plan, snapshot in snapshots
        for one in told(plan, snapshot, "", scaling.policy, None).explanations
        if one.user == "bob" and one.reason in (Reason.WORKER_REQUESTED, Reason.WORKER_BOOTING)
    ]
    (job,) = [job for job in pool.jobs if job.user == "bob"]
    assert job.started_at is not None and told_of_bob
    for one in told_of_bob:
        assert one.start and one.start.since and one.start.soonest_s is not None and one.start.latest_s is not None
        soonest, latest = (one.start.since + timedelta(seconds=s) for s in (one.start.soonest_s, one.start.latest_s))
        assert soonest <= job.started_at <= latest


def test_a_job_that_a_worker_has_room_for_starts_within_seconds() -> None:
    snapshot = a_snapshot(workers=(a_known_worker(),), execute_points=(a_point(),), demand=(a_demand(),))
    start = the_start(snapshot)
    assert (start.since, start.soonest_s, start.latest_s) == (None, 0, 20)
