"""Many jobs at once: every plan is valid, whatever is asked for, and costs little more than the least there is."""

from __future__ import annotations

import gc
from collections import Counter
from random import Random

import numpy as np
import pytest
from builders import a_cloud, a_demand, a_flavour, a_size
from builders_scaler import LARGE, SMALL, a_point, plan_for, some_names
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from benchmarks import scaler_load
from benchmarks.scaler_bound import least_cost
from prominence.core.machines import Flavour, Size
from prominence.core.placement import Area, Place, Placement
from prominence.core.scaling import Act
from prominence.core.snapshot import Demand
from prominence.scaler import ordering, packing
from prominence.scaler.catalogue import catalogue_of
from prominence.scaler.decide import decide
from prominence.scaler.giving import give
from prominence.scaler.ordering import Order, Shop
from prominence.scaler.packing import Waiting, Wanted
from prominence.scaler.policy import Policy
from prominence.scaler.pool import Room, Stage

SOME = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PLACEMENTS = (
    Placement(),
    Placement(requirements=Area(sites=("one",))),
    Placement(preferences=Area(sites=("two",))),
    Placement(requirements=Area(regions=("north",))),
    Placement(requirements=Area(sites=("mars",))),
)

sizes = st.builds(
    Size,
    cpus=st.integers(0, 20),
    memory_mib=st.integers(0, 40_000),
    disk_mib=st.integers(0, 100_000),
    gpus=st.sampled_from([0, 0, 0, 1, 2]),
)
prices = st.sampled_from([0.0, 0.0, 0.5, 1.0, 3.0, 1000.0])
places = st.sampled_from([Place("one", "north"), Place("one", "south"), Place("two")])


@st.composite
def offers(draw: st.DrawFn) -> tuple[Flavour, ...]:
    """Flavours on two clouds."""
    found = []
    for number in range(draw(st.integers(1, 6))):
        place = draw(places)
        found.append(
            Flavour(cloud=place.cloud, region=place.region, name=f"f{number}", size=draw(sizes), price=draw(prices))
        )
    return tuple(found)


@st.composite
def queues(draw: st.DrawFn, most: int = 2000) -> tuple[Demand, ...]:
    """Kinds of jobs, of some very many."""
    count = draw(st.integers(1, 8))
    return tuple(
        a_demand(
            size=draw(sizes),
            user=f"user-{number}",
            jobs=draw(st.integers(1, most)),
            placement=draw(st.sampled_from(PLACEMENTS)),
        )
        for number in range(count)
    )


def a_shop(flavours: tuple[Flavour, ...], limit: int = 1_000_000, policy: Policy | None = None) -> Shop:
    clouds = [
        a_cloud(name=name, flavours=tuple(f for f in flavours if f.cloud == name), limit=limit)
        for name in ("one", "two")
    ]
    snapshot = scaler_load.snapshot((), tuple(clouds), ([], []))
    catalogue = catalogue_of(snapshot, policy or Policy(), scaler_load.NOW)
    return Shop(catalogue, packing.scale_of(f.size for f in flavours), 8)


def checked(waiting: Waiting, orders: list[Order], left: Waiting) -> None:
    """By other means: every machine holds all jobs it is for and may run them, and no job is lost or served twice."""
    served: Counter[str] = Counter()
    for order in orders:
        room, used = order.flavour.size, [0, 0, 0, 0]
        for demand, jobs in order.shares:
            assert jobs > 0
            assert demand.placement.takes(order.flavour.place)
            assert room.cpus >= 1
            size = demand.size
            for kind, amount in enumerate((size.cpus, size.memory_mib, size.disk_mib, size.gpus)):
                used[kind] += amount * jobs
            served[demand.user] += jobs * order.machines
        assert used[0] <= room.cpus
        assert used[1] <= room.memory_mib
        assert used[2] <= room.disk_mib
        assert used[3] <= room.gpus
    for demand, jobs in left:
        served[demand.user] += jobs
    assert served == {demand.user: jobs for demand, jobs in waiting}


def at_once(waiting: Waiting, shop: Shop) -> tuple[list[Order], Waiting]:
    """As for many jobs, however few there are."""
    orders = ordering._at_once(waiting, shop.catalogue.open(), shop)
    served = Counter[Wanted]()
    for order in orders:
        served.update({wanted: jobs * order.machines for wanted, jobs in order.shares})
    return orders, packing.after(waiting, served)


def in_demands(orders: list[Order], left: Waiting) -> tuple[list[object], list[object]]:
    """The same in words that can be compared."""
    told: list[object] = [
        (order.flavour, order.machines, [(wanted.demand, jobs) for wanted, jobs in order.shares]) for order in orders
    ]
    return told, [(wanted.demand, jobs) for wanted, jobs in left]


@given(demand=queues(), flavours=offers())
@SOME
def test_all_jobs_get_machines_that_hold_them_and_those_that_never_fit_get_none(
    demand: tuple[Demand, ...], flavours: tuple[Flavour, ...]
) -> None:
    shop = a_shop(flavours)
    waiting = packing.queue(demand, shop.scale)
    orders, left = at_once(waiting, shop)
    checked(waiting, orders, left)
    assert {one.user for one, _ in left} == {
        one.user for one in demand if not any(packing.runs(flavour, one) for flavour in flavours)
    }


@given(demand=queues(), flavours=offers(), limit=st.integers(0, 30), budget=st.integers(0, 50))
@SOME
def test_limits_hold_however_many_jobs_there_are(
    demand: tuple[Demand, ...], flavours: tuple[Flavour, ...], limit: int, budget: int
) -> None:
    policy = Policy(flavour_limits={f"{flavours[0].cloud}/f0": 3}, cloud_limits={"two": 5})
    shop = a_shop(flavours, limit, policy)
    waiting = packing.queue(demand, shop.scale)
    orders, left, _ = ordering.orders(waiting, shop, budget)
    checked(waiting, orders, left)
    assert sum(order.machines for order in orders) <= budget
    on = Counter[str]()
    for order in orders:
        on[order.flavour.cloud] += order.machines
        on[order.flavour.name] += order.machines
    assert on["one"] <= limit
    assert on["two"] <= min(limit, 5)
    assert on["f0"] <= 3


@given(demand=queues(), flavours=offers(), random=st.randoms(use_true_random=False))
@settings(SOME, max_examples=12)
def test_the_order_in_which_many_jobs_are_listed_does_not_matter(
    demand: tuple[Demand, ...], flavours: tuple[Flavour, ...], random: Random
) -> None:
    shop = a_shop(flavours)
    one = in_demands(*at_once(packing.queue(demand, shop.scale), shop))
    listed, offered = list(demand), list(flavours)
    random.shuffle(listed)
    random.shuffle(offered)
    other = a_shop(tuple(offered))
    assert in_demands(*at_once(packing.queue(listed, other.scale), other)) == one


@given(demand=queues(), rooms=st.lists(st.tuples(sizes, places), max_size=12))
@SOME
def test_room_is_given_as_it_would_be_job_by_job(demand: tuple[Demand, ...], rooms: list[tuple[Size, Place]]) -> None:
    listed = [Room(f"w-{number}", Stage.READY, size, place) for number, (size, place) in enumerate(rooms)]
    waiting = packing.queue(demand, a_size(20, 40_000, 100_000, 2))
    given_at_once, left = give(listed, waiting)
    one_by_one, rest = [], waiting
    for room in listed:
        taken = packing.fill(room.free, room.place, rest)
        if any(taken):
            one_by_one.append((room.worker, packing.shares(rest, taken)))
        rest = packing.without(rest, taken)
    assert [(one.room.worker, one.shares) for one in given_at_once] == one_by_one
    assert left == rest


def least_by_search(demand: tuple[Demand, ...], flavours: tuple[Flavour, ...]) -> float:
    """The cost of the best plan that there is, of all that fill at most so many machines of each flavour."""
    jobs = [one.jobs for one in demand]
    machines = [flavour for flavour in flavours for _ in range(sum(jobs))]
    width = len(demand)
    cost = [0.0] * (width * len(machines)) + [flavour.price for flavour in machines]
    rows, lower, upper = [], [], []
    for number, flavour in enumerate(machines):
        for kind in ("cpus", "memory_mib", "disk_mib", "gpus"):
            row = np.zeros(len(cost))
            row[number * width : (number + 1) * width] = [getattr(one.size, kind) for one in demand]
            row[width * len(machines) + number] = -getattr(flavour.size, kind)
            rows.append(row)
            lower.append(-np.inf)
            upper.append(0)
    for number, count in enumerate(jobs):
        row = np.zeros(len(cost))
        row[number : width * len(machines) : width] = 1
        rows.append(row)
        lower.append(count)
        upper.append(count)
    most = np.concatenate([np.tile(jobs, len(machines)), np.ones(len(machines))])
    found = milp(
        cost,
        constraints=LinearConstraint(np.array(rows), lower, upper),
        integrality=np.ones(len(cost)),
        bounds=Bounds(0, most),
    )
    assert found.success
    return float(found.fun)


@pytest.mark.parametrize("seed", range(6))
def test_the_bound_of_the_benchmarks_is_below_the_best_plan_and_ours_is_near(seed: int) -> None:
    random = Random(seed)
    flavours = tuple(
        a_flavour(
            cloud="one", name=f"f{n}", size=a_size(n * 4, n * random.randint(4, 9) * 1000), price=n + random.random()
        )
        for n in (1, 2)
    )
    demand = tuple(
        a_demand(
            user=f"u{n}", size=a_size(random.randint(1, 4), random.randint(500, 4000), 1), jobs=random.randint(1, 3)
        )
        for n in range(3)
    )
    best, bound = least_by_search(demand, flavours), least_cost(demand, flavours)
    shop = a_shop(flavours)
    orders, left = at_once(packing.queue(demand, shop.scale), shop)
    ours = sum(order.machines * order.flavour.price for order in orders)
    assert not left
    assert bound - 1e-6 <= best <= ours + 1e-6
    assert ours <= best + max(flavour.price for flavour in flavours), "a machine more at the most"


@pytest.mark.parametrize("mix", scaler_load.MIXES)
@pytest.mark.parametrize(("flavours", "most"), [(1, 1.02), (50, 1.06)])
def test_what_a_long_queue_costs_is_near_to_the_least(mix: str, flavours: int, most: float) -> None:
    random = Random(7)
    clouds = scaler_load.clouds(random, 1, flavours)
    demand = scaler_load.queue(random, mix, 50_000, 100)
    policy = Policy(max_workers=10**6, creations_per_round=10**6)
    plan = decide(scaler_load.snapshot(demand, clouds, ([], [])), policy, scaler_load.NOW, some_names())
    price = {flavour.name: flavour.price for flavour in clouds[0].flavours}
    cost = sum(price[action.flavour] for action in plan.actions)
    bound = least_cost(demand, clouds[0].flavours)
    assert bound <= cost <= bound * most


def test_a_large_job_gets_a_machine_of_matching_size_and_small_ones_share() -> None:
    clouds = (a_cloud(flavours=(SMALL, a_flavour(name="medium", size=a_size(8, 8000, 80 * 1024)), LARGE)),)
    for count in (3, 3000):
        policy = Policy(max_workers=10**4, creations_per_round=10**4)
        clouds = (clouds[0].model_copy(update={"limit": 10**4}),)
        large = plan_for(policy, clouds=clouds, demand=(a_demand(size=a_size(8, 8000), jobs=count),))
        assert [action.flavour for action in large.actions] == ["medium"] * count
        small = plan_for(policy, clouds=clouds, demand=(a_demand(jobs=16 * count),))
        assert [action.flavour for action in small.actions] == ["large"] * count
    shared = plan_for(Policy(small_cpus=9), clouds=clouds, demand=(a_demand(size=a_size(8, 8000), jobs=2),))
    assert [action.flavour for action in shared.actions] == ["large"]


def test_a_job_that_asks_for_more_than_numbers_hold_is_in_nobodys_way() -> None:
    jest = a_demand(user="jester", size=a_size(10**30, 10**40))
    plan = plan_for(demand=(jest, a_demand()), execute_points=(a_point("own", busy_cpus=4),))
    assert [action.act for action in plan.actions] == [Act.CREATE]
    shop = a_shop((replace_cloud(SMALL),))
    orders, left = at_once(packing.queue((jest, a_demand(jobs=10_000)), shop.scale), shop)
    assert sum(order.machines for order in orders) == 2500
    assert [one.user for one, _ in left] == ["jester"]


def replace_cloud(flavour: Flavour) -> Flavour:
    return flavour.model_copy(update={"cloud": "one"})


def test_garbage_is_looked_for_again_after_a_decision() -> None:
    assert gc.isenabled()
    plan_for(demand=(a_demand(),))
    assert gc.isenabled()
