"""Jobs of several nodes: room for all of them, or for none."""

from __future__ import annotations

from builders import a_cloud, a_demand, a_flavour, a_size
from builders_scaler import a_known_worker, a_point, acts, plan_for

from prominence.core.placement import Area, Placement
from prominence.core.reasons import Reason
from prominence.core.scaling import Act
from prominence.scaler.packing import in_part, queue
from prominence.scaler.policy import Policy

WHOLE = a_size(4, 1000, 1000)
"""Of which a small worker holds one."""
THREE = Policy(max_workers=3)


def test_a_job_gets_a_worker_for_each_node() -> None:
    plan = plan_for(THREE, demand=(a_demand(size=WHOLE, jobs=3, nodes=3),))
    assert acts(plan) == [(Act.CREATE, "new-1"), (Act.CREATE, "new-2"), (Act.CREATE, "new-3")]


def test_where_there_may_not_be_as_many_workers_none_is_ordered_and_it_is_said_why() -> None:
    plan = plan_for(THREE, demand=(a_demand(size=WHOLE, jobs=4, nodes=4),))
    assert plan.actions == ()
    [why] = plan.explanations
    assert (why.reason, why.jobs) == (Reason.NO_CAPACITY, 4)
    assert (
        "all 4 nodes of the job need room at the same time in one region, and at most 3 workers may exist"
        in why.sentence()
    )


def test_of_two_jobs_that_do_not_both_fit_one_gets_room() -> None:
    plan = plan_for(THREE, demand=(a_demand(size=WHOLE, jobs=4, nodes=2),))
    assert len(plan.actions) == 2
    assert [(one.reason, one.jobs) for one in plan.explanations] == [
        (Reason.WORKER_REQUESTED, 2),
        (Reason.NO_CAPACITY, 2),
    ]


def test_room_that_helps_no_such_job_is_for_others() -> None:
    demand = (a_demand(size=WHOLE, jobs=4, nodes=4), a_demand(size=WHOLE, user="bob", jobs=2))
    plan = plan_for(THREE, demand=demand)
    assert len(plan.actions) == 2
    assert {(one.user, one.reason) for one in plan.explanations} == {
        ("alice", Reason.NO_CAPACITY),
        ("bob", Reason.WORKER_REQUESTED),
    }


def test_a_node_whose_others_run_gets_room_by_itself() -> None:
    plan = plan_for(Policy(max_workers=1), demand=(a_demand(size=WHOLE, jobs=1, nodes=2),))
    assert len(plan.actions) == 1


def test_many_nodes_are_ordered_round_after_round() -> None:
    clouds = (a_cloud(limit=100),)
    policy = Policy(max_workers=100, creations_per_round=5)
    plan = plan_for(policy, clouds=clouds, demand=(a_demand(size=WHOLE, jobs=12, nodes=12),))
    assert len(plan.actions) == 5


def test_a_large_worker_may_hold_several_nodes() -> None:
    clouds = (a_cloud(flavours=(a_flavour(size=a_size(8, 16000, 40000)),)),)
    plan = plan_for(THREE, clouds=clouds, demand=(a_demand(size=WHOLE, jobs=6, nodes=6),))
    assert len(plan.actions) == 3


def test_workers_that_are_there_count() -> None:
    pool = {"workers": (a_known_worker(),), "execute_points": (a_point(),)}
    assert len(plan_for(Policy(max_workers=2), **pool, demand=(a_demand(size=WHOLE, jobs=2, nodes=2),)).actions) == 1


def test_all_nodes_of_a_job_are_in_one_region() -> None:
    here, there = (a_flavour(cloud="one", region=name, name=name, price=1.0) for name in ("here", "there"))
    abroad = a_flavour(cloud="two", name="abroad", price=0.5)
    clouds = (a_cloud(name="one", flavours=(here, there), limit=9), a_cloud(name="two", flavours=(abroad,), limit=2))
    plan = plan_for(Policy(max_workers=9), clouds=clouds, demand=(a_demand(size=WHOLE, jobs=3, nodes=3),))
    assert [action.flavour for action in plan.actions] == ["here"] * 3, "the cheaper cloud does not hold all of them"
    assert {(action.within.sites, action.within.regions) for action in plan.actions} == {(("one",), ("here",))}
    [why] = plan.explanations
    assert (why.placement, why.jobs) == (Placement(), 3)
    some = {
        "workers": (a_known_worker(flavour=there),),
        "execute_points": (a_point(flavour=there, cloud="one", region="there"),),
    }
    plan = plan_for(Policy(max_workers=9), **some, clouds=clouds, demand=(a_demand(size=WHOLE, jobs=3, nodes=3),))
    assert [action.flavour for action in plan.actions] == ["there"] * 2, "beside the one that is there"
    prefers = Placement(preferences=Area(regions=("there",)))
    plan = plan_for(clouds=clouds, demand=(a_demand(size=WHOLE, jobs=2, nodes=2, placement=prefers),))
    assert [action.flavour for action in plan.actions] == ["there"] * 2


def test_a_job_whose_nodes_no_region_holds_waits() -> None:
    clouds = tuple(a_cloud(name=name, flavours=(a_flavour(cloud=name, name=name),), limit=2) for name in ("one", "two"))
    demand = (a_demand(size=WHOLE, jobs=3, nodes=3), a_demand(size=WHOLE, jobs=2, nodes=2, user="bob"))
    plan = plan_for(clouds=clouds, demand=demand)
    assert [action.cloud for action in plan.actions] == ["one", "one"]
    assert {(one.user, one.jobs) for one in plan.explanations} == {("alice", 3), ("bob", 2)}


def test_nodes_beyond_whole_jobs_are_in_part() -> None:
    (two, _), (one, _) = queue((a_demand(nodes=2, jobs=7), a_demand(user="bob", jobs=7)), WHOLE)
    assert in_part(((two, 7), (one, 7)), ((two, 3), (one, 3))) == (1, 0)
    assert in_part(((two, 7),), ((two, 2),)) == (0,)
    assert in_part(((two, 7),), ((two, 7),)) == (0,)
    assert in_part(((two, 7),), ()) == (0,)
