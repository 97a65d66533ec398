"""Jobs that are too long for machines that are there for a time only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from builders import NOON, a_cloud, a_demand, a_flavour, a_size, minutes
from builders_scaler import SMALL, Scaling, a_known_worker, a_point, a_pretend_pool, some_names
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prominence.core.lifetimes import ANY, START, Walltimes, longest_ever, longest_now
from prominence.core.machines import Flavour, WorkerPhase
from prominence.core.reasons import Reason
from prominence.core.scaling import Act, ScalingPlan
from prominence.core.snapshot import Demand, ExecutePoint, PoolSnapshot
from prominence.scaler import lifetimes
from prominence.scaler.adapters.classads import evaluate
from prominence.scaler.adapters.memory import PretendPool
from prominence.scaler.decide import decide
from prominence.scaler.matching import Matched, Matcher
from prominence.scaler.policy import Policy

HOUR = 3600
SHORT, LONG = 1 * HOUR, 10 * HOUR
BRIEF = a_flavour(name="brief", lifetime_s=2 * HOUR, price=0.1)
LASTING = a_flavour(name="lasting", lifetime_s=24 * HOUR, price=1.0)


def a_job(walltime_s: int | None, **changes: object) -> Demand:
    return a_demand(walltime_s=walltime_s, **changes)


def match(
    demand: Sequence[Demand], flavours: Sequence[Flavour], points: Sequence[ExecutePoint] = (), start: str = "true"
) -> Matched:
    ads = {point.name: (("Start", start),) for point in points}
    workers = [a_known_worker(point.name, flavour=flavours[0]) for point in points]
    return Matcher(evaluate).match(demand, points, ads, flavours, workers, NOON)


def taken(found: Matched, flavours: Sequence[Flavour]) -> list[set[str]]:
    """For each demand, the flavours and machines that may have it."""
    kinds = {f.name: found.flavour_kinds.get(f"{f.cloud}/{f.name}", 0) for f in flavours}
    kinds |= {point.name: point.kind for point in found.points}
    return [
        {name for name, kind in kinds.items() if one.placement.kinds is None or kind in one.placement.kinds}
        for one in found.demand
    ]


def planned(demand: Sequence[Demand], *flavours: Flavour, points: Sequence[ExecutePoint] = ()) -> ScalingPlan:
    found = match(demand, flavours, points)
    snapshot = PoolSnapshot(
        taken_at=NOON,
        demand=found.demand,
        execute_points=found.points,
        workers=tuple(a_known_worker(point.name, flavour=flavours[0]) for point in points),
        clouds=(a_cloud(flavours=flavours),),
        flavour_kinds=found.flavour_kinds,
    )
    return decide(snapshot, Policy(), NOON, some_names())


def test_a_long_job_is_for_flavours_that_last() -> None:
    plan = planned([a_job(LONG)], BRIEF, LASTING)
    [action] = plan.actions
    assert (action.flavour, action.flavours) == ("lasting", ("docker/lasting",))
    assert planned([a_job(SHORT)], BRIEF, LASTING).actions[0].flavour == "brief"


def test_one_that_is_longer_than_all_flavours_last_is_told_so() -> None:
    plan = planned([a_job(30 * HOUR), a_job(SHORT)], BRIEF, LASTING)
    told = {one.walltimes: one for one in plan.explanations}
    never = told[Walltimes(SHORT, None)]
    assert never.reason is Reason.NO_FLAVOUR_LASTS
    assert never.sentence().startswith(
        "No worker of this pool is there for as long as the job may run: on lasting, which is there for longest, a "
        "job's walltime can be 23 h 51 min at most."
    )
    assert told[Walltimes(0, SHORT)].reason is Reason.WORKER_REQUESTED
    assert [action.flavour for action in plan.actions] == ["brief"]


def test_one_that_is_too_large_as_well_is_told_what_it_lacks_first() -> None:
    [told] = planned([a_job(LONG, size=a_size(64))], BRIEF).explanations
    assert told.reason is Reason.NO_FLAVOUR_FITS


def test_the_limit_is_what_is_left_when_a_machine_has_joined() -> None:
    longest = longest_ever(BRIEF.lifetime_s or 0)
    assert [planned([a_job(walltime)], BRIEF).explanations[0].reason for walltime in (longest, longest + 1)] == [
        Reason.WORKER_REQUESTED,
        Reason.NO_FLAVOUR_LASTS,
    ]


def test_a_machine_whose_time_is_nearly_over_takes_short_jobs_alone() -> None:
    point = a_point("w-1", flavour=LASTING, ends_at=NOON + timedelta(seconds=2 * SHORT))
    found = match([a_job(SHORT), a_job(LONG)], [LASTING], [point], start=f"(true) && ({START})")
    assert taken(found, [LASTING]) == [{"lasting", "w-1"}, {"lasting"}]
    plan = planned([a_job(LONG)], LASTING, points=[point])
    assert [action.act for action in plan.actions] == [Act.CREATE], "there is room, and no time"
    assert not planned([a_job(SHORT)], LASTING, points=[point]).actions


def test_a_job_that_tells_no_walltime_is_for_machines_without_an_end() -> None:
    assert taken(match([a_job(None)], [BRIEF, SMALL]), [BRIEF, SMALL]) == [{"small"}]


def test_where_no_machine_has_an_end_walltimes_make_no_difference() -> None:
    [one] = match([a_job(SHORT), a_job(LONG)], [SMALL], [a_point()]).demand
    assert (one.jobs, one.walltime_s, one.walltimes, one.placement.kinds) == (2, None, ANY, None)


@pytest.mark.parametrize(
    ("start", "left"),
    [
        ("true", "true"),
        (START, "true"),
        (f"(true) && ({START})", "true"),
        (f'(TARGET.Owner == "eve") && ({START})', 'TARGET.Owner == "eve"'),
        (f"(A || B) && ((C) && ({START}))", "(A || B) && (C)"),
        ("((", "(("),
    ],
)
def test_of_a_start_the_rest_is_compared_with_jobs(start: str, left: str) -> None:
    assert lifetimes.without_end(start) == left


walltimes = st.integers(1, 30 * HOUR)
ends = st.none() | st.integers(1, 30 * HOUR)


@given(st.lists(walltimes | st.none(), min_size=1, max_size=6), st.lists(ends, min_size=1, max_size=5), ends)
def test_a_job_is_for_just_those_machines_in_whose_time_it_can_end(
    jobs: list[int | None], lefts: list[int | None], lifetime_s: int | None
) -> None:
    flavour = a_flavour(lifetime_s=lifetime_s)
    points = [
        a_point(f"w-{number}", ends_at=None if left is None else NOON + timedelta(seconds=left))
        for number, left in enumerate(lefts)
    ]
    found = match([a_job(one, user=f"user-{number}") for number, one in enumerate(jobs)], [flavour], points)
    meeting = zip(found.demand, taken(found, [flavour]), strict=True)
    by_user = {one.user: (one, machines) for one, machines in meeting}
    longest = {f"w-{number}": None if left is None else longest_now(left) for number, left in enumerate(lefts)}
    longest["small"] = None if lifetime_s is None else longest_ever(lifetime_s)
    for number, walltime in enumerate(jobs):
        demand, machines = by_user[f"user-{number}"]
        assert machines == {
            name for name, most in longest.items() if most is None or (walltime is not None and walltime <= most)
        }
        assert walltime is None or demand.walltimes.hold(walltime)


@given(
    st.lists(st.tuples(walltimes, st.integers(1, 3)), min_size=1, max_size=5), st.lists(ends, min_size=1, max_size=2)
)
@example([(1, 1), (2, 1)], [541])
@settings(max_examples=15, deadline=None)
def test_every_job_runs_that_some_flavour_outlasts_and_the_others_are_told_so(
    jobs: list[tuple[int, int]], lifetimes_s: list[int | None]
) -> None:
    flavours = [a_flavour(name=f"f-{number}", lifetime_s=one) for number, one in enumerate(lifetimes_s)]
    pool: PretendPool = a_pretend_pool(*flavours, boot_time=minutes(1))
    for walltime, count in jobs:
        pool.submit(a_size(), "alice", count, runs_for=minutes(1), walltime_s=walltime)
    scaling = Scaling(pool, Policy(max_workers=10), Matcher(evaluate))
    scaling.rounds(60, by=minutes(0.5))
    for job in pool.jobs:
        walltime_s = job.walltime_s or 0
        assert job.ended or not any(one is None or walltime_s <= longest_ever(one) for one in lifetimes_s), walltime_s
        # A machine that was ordered for another job may join sooner than is counted on, and have time for it.
        assert not job.ended or any(one is None or walltime_s <= longest_now(one) for one in lifetimes_s), walltime_s
    waiting = scaling.plans[-1].explanations
    assert {one.reason for one in waiting} <= {Reason.NO_FLAVOUR_LASTS}
    assert sum(one.jobs for one in waiting) == sum(not job.ended for job in pool.jobs)
    assert all(any(one.walltimes.hold(job.walltime_s or 0) for one in waiting) for job in pool.jobs if not job.ended)
    scaling.rounds(20, by=minutes(1))
    assert all(worker.phase is WorkerPhase.DELETED for worker in pool.records.values())
