"""What holds for every plan, whatever the pool looks like."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from random import Random

from builders import NOON, a_cloud, a_demand, a_flavour, a_size, a_snapshot, minutes
from builders_scaler import LARGE, SMALL, Scaling, a_known_worker, a_point, a_pretend_pool, some_names
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prominence.core.machines import Flavour, Size, Wish, Worker, WorkerPhase
from prominence.core.placement import Area, Placement
from prominence.core.reasons import Reason
from prominence.core.scaling import Act, Cause, Explanation, ScalingPlan
from prominence.core.snapshot import Demand, ExecutePoint, PoolSnapshot, SeenWait
from prominence.scaler.decide import decide
from prominence.scaler.policy import Policy

ELSEWHERE = a_flavour(cloud="other", name="elsewhere", price=1.0)
FLAVOURS = (SMALL, LARGE, ELSEWHERE)
PLACEMENTS = (
    Placement(),
    Placement(requirements=Area(sites=("other",))),
    Placement(preferences=Area(sites=("other",))),
    Placement(requirements=Area(sites=("mars",))),
)
MOST = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])

moments = st.integers(0, 3600).map(lambda seconds: NOON - timedelta(seconds=seconds))
sizes = st.builds(a_size, st.integers(0, 20), st.integers(0, 18_000), st.integers(0, 170 * 1024), st.integers(0, 1))
demands = st.builds(
    a_demand,
    size=sizes,
    user=st.sampled_from(["alice", "bob"]),
    group=st.sampled_from(["", "physics"]),
    placement=st.sampled_from(PLACEMENTS),
    jobs=st.integers(1, 40),
)
policies = st.builds(
    Policy,
    max_workers=st.integers(0, 6),
    creations_per_round=st.integers(1, 3),
    idle_time_s=st.sampled_from([0, 600]),
    patience_s=st.sampled_from([0, 60]),
)


@st.composite
def members(draw: st.DrawFn, name: str) -> tuple[Worker | None, ExecutePoint | None]:
    """A worker as imc and collector may know it at one moment; they need not agree."""
    flavour = draw(st.sampled_from(FLAVOURS))
    point = None
    if draw(st.booleans()):
        busy = draw(st.integers(0, flavour.size.cpus))
        since = draw(moments) if busy == 0 else None
        point = a_point(name, busy, flavour, draining=draw(st.booleans()), idle_since=since)
    worker = None
    if point is None or draw(st.booleans()):
        worker = a_known_worker(
            name,
            draw(st.sampled_from(list(WorkerPhase))),
            flavour,
            wish=draw(st.sampled_from(list(Wish))),
            phase_since=draw(moments),
        )
    return worker, point


def _alike(one: Demand | Explanation) -> tuple[Size, str, str, Placement]:
    return one.size, one.user, one.group, one.placement


def _waiting(one: Demand, since: datetime) -> SeenWait:
    alike = {"size": one.size, "user": one.user, "group": one.group, "placement": one.placement}
    return SeenWait(**alike, jobs=max(1, one.jobs // 2), since=since)


@st.composite
def snapshots(draw: st.DrawFn) -> PoolSnapshot:
    """Anything that may be seen of a pool."""
    known = [draw(members(f"w-{number}")) for number in range(draw(st.integers(0, 6)))]
    error = draw(st.sampled_from(["", "", "the daemon is away"]))
    demand = draw(st.lists(demands, max_size=5, unique_by=_alike))
    return a_snapshot(
        demand=tuple(demand),
        seen_waits=tuple(_waiting(one, draw(moments)) for one in demand if draw(st.booleans())),
        workers=tuple(worker for worker, _ in known if worker),
        execute_points=tuple(point for _, point in known if point),
        clouds=(
            a_cloud(flavours=(SMALL, LARGE), limit=draw(st.integers(0, 5))),
            a_cloud(name="other", flavours=(ELSEWHERE,), limit=draw(st.integers(0, 3)), error=error),
        ),
        collector_started_at=draw(moments),
    )


def plan_of(snapshot: PoolSnapshot, policy: Policy) -> ScalingPlan:
    return decide(snapshot, policy, NOON, some_names())


@given(snapshots(), policies)
@MOST
def test_a_worker_with_a_claimed_slot_is_neither_drained_nor_deleted(snapshot: PoolSnapshot, policy: Policy) -> None:
    claimed = {point.name for point in snapshot.execute_points or () if point.claimed_slots}
    actions = [action for action in plan_of(snapshot, policy).actions if action.worker in claimed]
    removed = {action.cause for action in actions if action.act in (Act.DRAIN, Act.DELETE)}
    # What runs on a dear one goes on: it is only to take no more.
    assert removed <= ({Cause.DEAR} if policy.patience_s else set())
    assert not any(action.act is Act.DELETE for action in actions)


@given(snapshots(), policies)
@MOST
def test_limits_of_pool_clouds_and_rounds_are_kept(snapshot: PoolSnapshot, policy: Policy) -> None:
    created = [action for action in plan_of(snapshot, policy).actions if action.act is Act.CREATE]
    existing = [worker for worker in snapshot.workers or () if not worker.phase.is_over]
    assert len(created) <= policy.creations_per_round
    assert not created or len(existing) + len(created) <= policy.max_workers
    for cloud in snapshot.clouds or ():
        there = sum((w.flavour.cloud if w.flavour else w.request.cloud) == cloud.name for w in existing)
        new = sum(action.cloud == cloud.name for action in created)
        assert not new or there + new <= cloud.limit
        assert not (new and cloud.error)


@given(snapshots(), policies, st.randoms(use_true_random=False))
@MOST
def test_the_order_in_which_things_are_listed_does_not_matter(
    snapshot: PoolSnapshot, policy: Policy, random: Random
) -> None:
    parts = {name: list(getattr(snapshot, name)) for name in ("demand", "workers", "execute_points", "clouds")}
    for part in parts.values():
        random.shuffle(part)
    shuffled = snapshot.model_copy(update={name: tuple(part) for name, part in parts.items()})
    assert plan_of(shuffled, policy) == plan_of(snapshot, policy)


@given(snapshots(), policies)
@MOST
def test_every_worker_gets_one_action_at_most_with_a_reason(snapshot: PoolSnapshot, policy: Policy) -> None:
    actions = plan_of(snapshot, policy).actions
    ours = {worker.name for worker in snapshot.workers or () if not worker.phase.is_over}
    assert max(Counter(action.worker for action in actions).values(), default=1) == 1
    assert all(action.reason and action.cause for action in actions)
    assert all((action.worker in ours) is (action.act is not Act.CREATE) for action in actions)


@given(snapshots(), policies)
@MOST
def test_every_waiting_job_is_explained_once(snapshot: PoolSnapshot, policy: Policy) -> None:
    explained: Counter[tuple[Size, str, str, Placement]] = Counter()
    for one in plan_of(snapshot, policy).explanations:
        explained[_alike(one)] += one.jobs
        assert "unknown" not in one.sentence(), "the sentence has all its fields"
        assert not any(name in one.sentence() for name in ("alice", "bob", "physics")), "whoever reads it"
    assert explained == {_alike(one): one.jobs for one in snapshot.demand or ()}


@given(snapshots(), policies, st.sampled_from(["demand", "workers", "execute_points", "clouds"]))
@MOST
def test_nothing_is_ordered_or_drained_on_a_partial_view(snapshot: PoolSnapshot, policy: Policy, part: str) -> None:
    actions = plan_of(snapshot.model_copy(update={part: None}), policy).actions
    assert all(part == "demand" and action.act is Act.DELETE for action in actions)


@given(
    jobs=st.lists(st.tuples(sizes, st.integers(1, 8)), max_size=4),
    flavours=st.lists(st.sampled_from([SMALL, LARGE, a_flavour(name="dear", price=3.0)]), min_size=1, unique=True),
    policy=policies,
    kept=st.sampled_from([a_size(0, 0, 0), a_size(0, 100, 100)]),
)
@settings(max_examples=20, deadline=None)
def test_the_pool_comes_to_rest_within_a_few_rounds(
    jobs: list[tuple[Size, int]], flavours: list[Flavour], policy: Policy, kept: Size
) -> None:
    pool = a_pretend_pool(*flavours, limit=5, kept=kept, boot_time=timedelta(0))
    for size, count in jobs:
        pool.submit(size, "alice", count, runs_for=timedelta(days=1))
    scaling = Scaling(pool, policy)
    scaling.rounds(25, by=timedelta(seconds=5))
    scaling.rounds(5, by=minutes(11))  # whatever is idle has its idle time behind it
    at_rest = scaling.rounds(4)
    assert [plan.actions for plan in at_rest] == [()] * 4
    waiting = {one.reason for one in at_rest[-1].explanations}
    assert waiting <= {Reason.POOL_LIMIT, Reason.CLOUD_LIMIT, Reason.NO_CAPACITY, Reason.NO_FLAVOUR_FITS}


@given(jobs=st.lists(st.tuples(sizes, st.integers(1, 8), st.integers(1, 30)), max_size=5), policy=policies)
@settings(max_examples=10, deadline=None)
def test_when_all_jobs_are_done_no_worker_is_left(jobs: list[tuple[Size, int, int]], policy: Policy) -> None:
    pool = a_pretend_pool(SMALL, LARGE)
    for size, count, for_s in jobs:
        pool.submit(size, "alice", count, runs_for=timedelta(seconds=for_s))
    scaling = Scaling(pool, policy)
    scaling.rounds(60, by=timedelta(seconds=20))
    fitting = [job for job in pool.jobs if job.size.fits(LARGE.size) and policy.max_workers]
    assert all(job.ended for job in fitting)
    scaling.rounds(6, by=minutes(11))
    assert all(worker.phase is WorkerPhase.DELETED for worker in pool.records.values())


def test_a_broken_flavour_does_not_eat_machines() -> None:
    pool = a_pretend_pool(SMALL, broken={"small"})
    pool.submit(a_size(), "alice")
    plans = Scaling(pool).rounds(720, by=timedelta(seconds=5))
    created = sum(action.act is Act.CREATE for plan in plans for action in plan.actions)
    assert created <= 9, "one an hour for each doubling of the pause"
    assert plans[-1].explanations[0].reason in (Reason.BACK_OFF, Reason.WORKER_BOOTING, Reason.WORKER_REQUESTED)


def test_machines_that_keep_some_memory_are_not_ordered_over_and_over() -> None:
    pool = a_pretend_pool(SMALL, kept=a_size(0, 100, 0))
    pool.submit(a_size(4, 4000), "alice")
    plans = Scaling(pool).rounds(60, by=timedelta(seconds=30))
    assert sum(action.act is Act.CREATE for plan in plans for action in plan.actions) == 1
    assert plans[-1].explanations[0].reason is Reason.NO_FLAVOUR_FITS


def test_a_restarted_collector_costs_no_worker_and_orders_none() -> None:
    pool = a_pretend_pool(SMALL)
    pool.submit(a_size(), "alice", jobs=3, runs_for=timedelta(hours=1))
    scaling = Scaling(pool)
    scaling.rounds(12)
    assert len(pool.running_on("w-0-1")) == 3
    pool.restart_collector()
    pool.submit(a_size(), "bob")
    silent = scaling.rounds(20)
    pool.hear()
    after = scaling.rounds(3)
    assert [plan.actions for plan in (*silent, *after)] == [()] * 23
    assert len(pool.running_on("w-0-1")) == 4
