"""Jobs that say where: they get machines where they may run, there where they had rather run, or a reason."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from builders import NOON, a_cloud, a_demand, a_flavour, a_size, a_snapshot, an_execute_point, minutes
from builders_scaler import POLICY, Scaling, a_known_worker, a_point, plan_for, some_names
from hypothesis import given, settings
from hypothesis import strategies as st

from prominence.core.machines import CloudStatus, Flavour, Wish, WorkerPhase
from prominence.core.placement import Area, Placement
from prominence.core.reasons import Reason
from prominence.core.scaling import Act, Explanation, ScalingPlan
from prominence.core.snapshot import Demand
from prominence.scaler.act import request_for
from prominence.scaler.adapters.memory import PretendPool
from prominence.scaler.decide import decide
from prominence.scaler.policy import Policy

NORTH = a_flavour(cloud="one", region="north", name="small-north", price=1.0)
SOUTH = a_flavour(cloud="one", region="south", name="small-south", price=2.0)
ABROAD = a_flavour(cloud="two", name="small-abroad", price=3.0)
ONE = a_cloud(name="one", flavours=(NORTH, SOUTH))
TWO = a_cloud(name="two", flavours=(ABROAD,))
CLOUDS = (ONE, TWO)


def must(*sites: str, regions: tuple[str, ...] = ()) -> Placement:
    return Placement(requirements=Area(sites=sites, regions=regions))


def had_rather(*sites: str, regions: tuple[str, ...] = ()) -> Placement:
    return Placement(preferences=Area(sites=sites, regions=regions))


def demand(placement: Placement, **changes: Any) -> Demand:
    return a_demand(placement=placement, **changes)


def plan(*jobs: Demand, clouds: tuple[CloudStatus, ...] = CLOUDS, policy: Policy = POLICY, **seen: Any) -> ScalingPlan:
    return plan_for(policy, demand=jobs, clouds=clouds, **seen)


def ordered(made: ScalingPlan) -> list[str]:
    return [action.flavour for action in made.actions if action.act is Act.CREATE]


def told(made: ScalingPlan) -> Explanation:
    (explanation,) = made.explanations
    return explanation


@pytest.mark.parametrize(
    ("placement", "flavour"),
    [
        (Placement(), "small-north"),
        (must("two"), "small-abroad"),
        (must("one"), "small-north"),
        (must("two", "one"), "small-north"),
        (must(regions=("south",)), "small-south"),
        (must("one", regions=("south",)), "small-south"),
        (had_rather("two"), "small-abroad"),
        (had_rather("mars", "two", "one"), "small-abroad"),
        (had_rather(regions=("south", "north")), "small-south"),
        (had_rather("one", regions=("south",)), "small-south"),
        (had_rather("mars"), "small-north"),
        (Placement(requirements=Area(sites=("one",)), preferences=Area(sites=("two",))), "small-north"),
    ],
)
def test_a_machine_is_ordered_where_the_job_may_run_and_there_where_it_had_rather(
    placement: Placement, flavour: str
) -> None:
    assert ordered(plan(demand(placement))) == [flavour]


def test_preferences_come_before_the_price_and_where_they_cannot_be_met_the_price_decides() -> None:
    full = TWO.model_copy(update={"limit": 0})
    assert ordered(plan(demand(had_rather("two")))) == ["small-abroad"]
    assert ordered(plan(demand(had_rather("two")), clouds=(ONE, full))) == ["small-north"]


def test_room_elsewhere_is_of_no_use_to_a_job_that_must_not_run_there() -> None:
    there = {
        "workers": (a_known_worker(flavour=NORTH),),
        "execute_points": (a_point(flavour=NORTH, cloud="one", region="north"),),
    }
    assert ordered(plan(demand(must("two")), **there)) == ["small-abroad"]
    assert ordered(plan(demand(must("one")), **there)) == []
    assert told(plan(demand(must("one")), **there)).reason is Reason.MATCHING


@pytest.mark.parametrize("phase", [WorkerPhase.REQUESTED, WorkerPhase.LAUNCHED])
def test_a_worker_that_is_coming_counts_where_it_will_be(phase: WorkerPhase) -> None:
    workers = (a_known_worker(phase=phase, flavour=SOUTH),)
    assert ordered(plan(demand(must(regions=("south",))), workers=workers)) == []
    assert ordered(plan(demand(must(regions=("north",))), workers=workers)) == ["small-north"]


def test_a_preference_does_not_make_a_job_wait_where_there_is_room() -> None:
    made = plan(
        demand(had_rather("two")),
        workers=(a_known_worker(flavour=NORTH),),
        execute_points=(a_point(flavour=NORTH, cloud="one", region="north"),),
    )
    assert made.actions == ()
    assert told(made).reason is Reason.MATCHING


def test_somebodys_own_machine_is_where_it_says() -> None:
    own = an_execute_point(name="own", cloud="attic", total=a_size(4, 4000, 99_999))
    assert told(plan(demand(must("attic")), execute_points=(own,))).reason is Reason.MATCHING
    busy = own.model_copy(update={"free": a_size(0, 0, 0)})
    waits = told(plan(demand(must("attic")), execute_points=(busy,)))
    assert waits.details == {"detail": "it fits on own only, which is in use"}


def test_of_equal_jobs_those_that_may_run_in_one_place_only_get_its_room() -> None:
    made = plan(
        demand(Placement(), jobs=4, user="alice"),
        demand(must("one"), jobs=4, user="bob"),
        workers=(a_known_worker(flavour=NORTH), a_known_worker("w-2", flavour=ABROAD)),
        execute_points=(
            a_point(flavour=NORTH, cloud="one", region="north"),
            a_point("w-2", flavour=ABROAD, cloud="two"),
        ),
    )
    assert made.actions == ()
    assert {(one.user, one.details["worker"]) for one in made.explanations} == {("alice", "w-2"), ("bob", "w-1")}


def test_a_worker_is_ordered_within_what_all_its_jobs_require() -> None:
    jobs = (demand(must("one", "two")), demand(must("two", "mars"), user="bob"), demand(Placement(), user="carol"))
    cheap = a_cloud(name="two", flavours=(ABROAD.model_copy(update={"price": 0.1}),))
    made = plan(*jobs, clouds=(ONE, cheap))
    (action,) = made.actions
    assert (action.flavour, action.within) == ("small-abroad", Area(sites=("two",)))
    assert request_for(action, fence=1).within == action.within


def test_what_is_done_with_a_worker_later_says_where_it_must_be_as_before() -> None:
    worker = a_known_worker(flavour=ABROAD, wish=Wish.DRAINED)
    within = Area(sites=("two",))
    worker = worker.model_copy(update={"request": worker.request.model_copy(update={"within": within})})
    made = plan(workers=(worker,), execute_points=(a_point(flavour=ABROAD, cloud="two", draining=True),))
    assert [(action.act, action.within) for action in made.actions] == [(Act.DELETE, within)]


def test_an_idle_worker_in_the_wrong_place_makes_way_for_one_in_the_right_one() -> None:
    made = plan(
        demand(must("two")),
        policy=Policy(max_workers=1),
        workers=(a_known_worker(flavour=NORTH),),
        execute_points=(a_point(flavour=NORTH, cloud="one", region="north"),),
    )
    assert [action.act for action in made.actions] == [Act.DRAIN]
    assert told(made).reason is Reason.POOL_LIMIT


@pytest.mark.parametrize(
    ("placement", "sentence"),
    [
        (must("mars"), "there is no cloud named mars, only one, two"),
        (must("mars", "venus", "pluto"), "there is no cloud named mars, venus or pluto, only one, two"),
        (must(regions=("east",)), "there is no region named east of any cloud, only north, south"),
        (must("two", regions=("south", "north")), "there is no region named south or north of cloud two"),
        (must("mars", regions=("north",)), "there is no cloud named mars, only one, two"),
    ],
)
def test_a_job_that_must_run_where_nothing_is_waits_and_is_told_so(placement: Placement, sentence: str) -> None:
    made = plan(demand(placement))
    assert made.actions == ()
    assert told(made).sentence() == (
        f"No cloud of this pool is where the job must run: {sentence}. "
        "Change policies.placement, or wait until there is one."
    )


def test_a_pool_of_many_clouds_names_some_of_them() -> None:
    clouds = tuple(a_cloud(name=f"c{n:02}", flavours=(a_flavour(cloud=f"c{n:02}"),)) for n in range(12))
    assert "named mars, only c00, c01, " in told(plan(demand(must("mars")), clouds=clouds)).sentence()
    assert "c08, c09, ...." in told(plan(demand(must("mars")), clouds=clouds)).sentence()
    assert "named mars. Change" in told(plan(demand(must("mars")), clouds=())).sentence()


def test_a_job_that_must_run_on_a_full_cloud_is_told_that_it_is_full() -> None:
    full = TWO.model_copy(update={"limit": 0})
    assert told(plan(demand(must("two")), clouds=(ONE, full))).sentence() == (
        "No cloud that could run it may have more workers now: two has 0 of 0 workers; the job must run on cloud two."
    )


def test_a_job_that_is_too_large_for_where_it_must_run_is_told_both() -> None:
    large = a_flavour(cloud="one", name="large", size=a_size(64, 64_000, 640 * 1024))
    clouds = (a_cloud(name="one", flavours=(large,)), TWO)
    waits = told(plan(demand(must("two"), size=a_size(8)), clouds=clouds))
    assert waits.reason is Reason.NO_FLAVOUR_FITS
    assert waits.details["detail"].startswith("the nearest is small-abroad")
    assert waits.details["detail"].endswith("the job asks for 8 cores; the job must run on cloud two")


def test_a_cloud_that_does_not_say_what_it_offers_may_be_the_right_one() -> None:
    silent = a_cloud(name="two", flavours=(), error="it is down")
    for placement in (must("two"), must(regions=("east",))):
        waits = told(plan(demand(placement), clouds=(ONE, silent)))
        assert waits.reason is Reason.NO_CAPACITY
        assert "two: it is down; the job must run" in waits.details["detail"]
    assert told(plan(demand(must("mars")), clouds=(ONE, silent))).reason is Reason.NO_SUCH_PLACE


def test_a_cloud_that_offers_nothing_says_so() -> None:
    clouds = (ONE, a_cloud(name="two", flavours=()))
    assert "cloud two offers no machine" in told(plan(demand(must("two")), clouds=clouds)).sentence()


def test_jobs_that_differ_in_their_places_are_explained_one_by_one() -> None:
    explained = plan(demand(must("mars")), demand(Placement()), demand(must("two"))).explanations
    assert [(one.placement, one.reason) for one in explained] == [
        (Placement(), Reason.WORKER_REQUESTED),
        (must("mars"), Reason.NO_SUCH_PLACE),
        (must("two"), Reason.WORKER_REQUESTED),
    ]


def a_pool(*flavours: Flavour) -> PretendPool:
    offered = {cloud: tuple(f for f in flavours if f.cloud == cloud) for cloud in ("one", "two")}
    clouds = tuple(a_cloud(name=cloud, flavours=found, limit=3) for cloud, found in offered.items())
    return PretendPool(offered=clouds, now=NOON, boot_time=minutes(0))


names = st.lists(st.sampled_from(["one", "two", "mars"]), max_size=2, unique=True).map(tuple)
regions = st.lists(st.sampled_from(["north", "south"]), max_size=2, unique=True).map(tuple)
areas = st.builds(Area, sites=names, regions=regions)
placements = st.builds(Placement, requirements=areas, preferences=areas)
work = st.lists(st.tuples(placements, st.integers(1, 6), st.integers(1, 4)), max_size=5)


@given(jobs=work, policy=st.builds(Policy, max_workers=st.integers(1, 4)))
@settings(max_examples=20)
def test_every_job_that_some_cloud_may_run_is_run_where_it_may_and_the_others_wait(
    jobs: list[tuple[Placement, int, int]], policy: Policy
) -> None:
    pool = a_pool(NORTH, SOUTH, ABROAD)
    for placement, cpus, count in jobs:
        pool.submit(a_size(cpus), "alice", count, placement=placement, runs_for=minutes(1))
    scaling = Scaling(pool, policy)
    scaling.rounds(150, by=minutes(0.5))
    offered = (NORTH, SOUTH, ABROAD)
    for job in pool.jobs:
        possible = job.size.fits(NORTH.size) and any(job.placement.takes(flavour.place) for flavour in offered)
        assert job.ended is possible
        if possible:
            flavour = pool.records[job.worker].flavour
            assert flavour is not None
            assert job.placement.takes(flavour.place)
    waiting = {one.reason for one in scaling.plans[-1].explanations}
    assert waiting <= {Reason.NO_SUCH_PLACE, Reason.NO_FLAVOUR_FITS}
    scaling.rounds(6, by=minutes(11))
    assert all(worker.phase is WorkerPhase.DELETED for worker in pool.records.values())


@given(st.lists(placements, max_size=4, unique=True), st.randoms(use_true_random=False))
def test_the_order_in_which_demands_are_listed_does_not_matter(found: list[Placement], random: Random) -> None:
    listed = [demand(placement) for placement in found]
    snapshot = a_snapshot(demand=tuple(listed), clouds=CLOUDS)
    random.shuffle(listed)
    shuffled = snapshot.model_copy(update={"demand": tuple(listed)})
    one, other = (decide(seen, POLICY, NOON, some_names()) for seen in (snapshot, shuffled))
    assert one == other
    for action in one.actions:
        made = next(f for f in (NORTH, SOUTH, ABROAD) if f.name == action.flavour)
        assert action.within.holds(made.place)


def test_a_worker_that_was_asked_for_anywhere_is_nowhere_yet() -> None:
    worker = a_known_worker(phase=WorkerPhase.REQUESTED, flavour=a_flavour(cloud="", name=""))
    made = plan(demand(must("two")), demand(Placement(), user="bob"), workers=(worker,))
    assert {(one.user, one.details["worker"]) for one in made.explanations} == {("alice", "new-1"), ("bob", "w-1")}
