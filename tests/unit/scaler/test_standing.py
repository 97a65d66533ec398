"""Limits of clouds and flavours, and workers that are kept ready for jobs to come."""

from __future__ import annotations

from datetime import timedelta

import pytest
from builders import NOON, a_cloud, a_demand, a_flavour, a_size, minutes
from builders_scaler import LARGE, SMALL, Scaling, a_known_worker, a_point, a_pretend_pool, acts, plan_for
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from prominence.core.reasons import Reason
from prominence.core.scaling import Act
from prominence.scaler.groups import within_limits
from prominence.scaler.policy import Policy

CREATE, DRAIN = Act.CREATE, Act.DRAIN
BOTH = (a_cloud(flavours=(SMALL, LARGE)),)
LATER = NOON + minutes(12)


def test_the_policy_may_allow_less_on_a_cloud_than_the_cloud_does() -> None:
    plan = plan_for(Policy(cloud_limits={"docker": 2}), demand=(a_demand(jobs=40),))
    assert acts(plan) == [(CREATE, "new-1"), (CREATE, "new-2")]
    assert "docker has 2 of 2 workers" in plan.explanations[-1].sentence()
    assert len(plan_for(Policy(cloud_limits={"docker": 99}), demand=(a_demand(jobs=400),)).actions) == 5


def test_of_a_flavour_there_may_be_so_many_and_then_others_are_ordered() -> None:
    policy = Policy(flavour_limits={"docker/large": 2})
    workers = (a_known_worker(flavour=LARGE),)
    points = (a_point(busy_cpus=16, flavour=LARGE),)
    plan = plan_for(policy, workers=workers, execute_points=points, clouds=BOTH, demand=(a_demand(jobs=20),))
    assert [action.flavour for action in plan.actions] == ["large", "small"]
    waits = plan_for(
        policy.model_copy(update={"flavour_limits": {"docker/large": 1}}),
        workers=workers,
        execute_points=points,
        clouds=BOTH,
        demand=(a_demand(size=a_size(16)),),
    )
    assert waits.actions == ()
    (why,) = waits.explanations
    assert why.reason is Reason.CLOUD_LIMIT
    assert why.details == {"detail": "for large, docker has 1 of 1 workers"}


def test_an_idle_worker_makes_way_where_its_flavour_has_its_limit() -> None:
    other = a_flavour(name="gpu", size=a_size(4, 4000, gpus=1))
    clouds = (a_cloud(flavours=(SMALL, other), limit=2),)
    workers = (a_known_worker("w-1"), a_known_worker("w-2", flavour=other))
    points = (a_point("w-1"), a_point("w-2", busy_cpus=1, flavour=other))
    policy = Policy(flavour_limits={"docker/gpu": 1})
    plan = plan_for(
        policy, workers=workers, execute_points=points, clouds=clouds, demand=(a_demand(size=a_size(4, 4000, gpus=1)),)
    )
    assert acts(plan) == [], "to drain w-1 would help nobody"


@pytest.mark.parametrize("name", ["large", "docker/", "/large", "docker/large/x", "docker large"])
def test_a_flavour_is_named_with_its_cloud(name: str) -> None:
    with pytest.raises(ValidationError):
        Policy(flavour_limits={name: 1})
    with pytest.raises(ValidationError):
        Policy(standing_flavour=name)


def test_so_many_workers_exist_without_work() -> None:
    plan = plan_for(Policy(min_workers=2), clouds=BOTH)
    assert [(a.act, a.flavour, a.reason) for a in plan.actions] == [
        (CREATE, "small", "workers that are there at least: 2"),
        (CREATE, "small", "workers that are there at least: 2"),
    ]
    assert len(plan_for(Policy(min_workers=2), workers=(a_known_worker(),), execute_points=(a_point(),)).actions) == 1
    assert len(plan_for(Policy(min_workers=9, creations_per_round=3)).actions) == 3
    assert len(plan_for(Policy(min_workers=9, max_workers=2)).actions) == 2
    (of_that,) = plan_for(Policy(min_workers=1, standing_flavour="docker/large"), clouds=BOTH).actions
    assert of_that.flavour == "large"
    assert plan_for(Policy(min_workers=1, standing_flavour="docker/gone"), clouds=BOTH).actions == ()


def test_so_many_workers_are_ready_beyond_those_that_have_work() -> None:
    policy = Policy(warm_workers=1)
    busy = {"workers": (a_known_worker(),), "execute_points": (a_point(busy_cpus=1),)}
    idle = {"workers": (a_known_worker(),), "execute_points": (a_point(),)}
    assert acts(plan_for(policy, **busy)) == [(CREATE, "new-1")]
    assert acts(plan_for(policy, **idle)) == []
    plan = plan_for(policy, **idle, demand=(a_demand(),))
    assert [action.reason for action in plan.actions] == ["workers that are kept ready: 1"], "it has work now"


def test_of_idle_workers_the_dearest_go_and_those_that_are_wanted_stay() -> None:
    dear = a_flavour(name="dear", price=3.0)
    workers = (a_known_worker("w-1"), a_known_worker("w-2", flavour=dear), a_known_worker("w-3"))
    pool = {"workers": workers, "execute_points": tuple(a_point(f"w-{n}") for n in (1, 2, 3))}
    assert acts(plan_for(Policy(min_workers=2), LATER, **pool)) == [(DRAIN, "w-2")]
    assert acts(plan_for(Policy(warm_workers=2), LATER, **pool)) == [(DRAIN, "w-2")]
    assert acts(plan_for(Policy(warm_workers=1), LATER, **pool)) == [(DRAIN, "w-2"), (DRAIN, "w-1")]
    assert acts(plan_for(Policy(min_workers=5, max_workers=3), LATER, **pool)) == []


def test_a_worker_that_is_kept_ready_makes_way_for_one_that_is_needed() -> None:
    policy = Policy(max_workers=1, warm_workers=1, idle_time_s=60)
    pool = a_pretend_pool(SMALL, LARGE)
    scaling = Scaling(pool, policy)
    scaling.rounds(30)
    pool.submit(a_size(16), "alice", runs_for=timedelta(minutes=1))
    scaling.rounds(60)
    assert all(job.ended for job in pool.jobs)
    assert [worker.flavour for worker in pool.records.values() if not worker.phase.is_over] == [LARGE]


PHYSICS = {"jobs": 6, "group": "physics", "size": a_size(2)}


def test_a_group_has_no_more_cores_than_it_may_and_others_are_served() -> None:
    policy = Policy(group_limits={"physics": 8})
    demand = (a_demand(**PHYSICS), a_demand(jobs=3, group="biology"))
    plan = plan_for(policy, demand=demand, group_cpus={"physics": 3}, clouds=BOTH)
    assert sum(action.size.cpus for action in plan.actions) == 2 * 2 + 3
    waits = [one for one in plan.explanations if one.reason is Reason.GROUP_LIMIT]
    assert [(one.group, one.jobs, one.details) for one in waits] == [("physics", 4, {"used": "7", "limit": "8"})]
    assert waits[0].sentence().startswith("Its group's jobs have 7 of the 8 cores")


def test_a_group_is_named_as_its_members_call_it() -> None:
    policy = Policy(group_limits={"dept.physics": 2})
    demand = (a_demand(jobs=2, group="dept%2Ephysics", size=a_size(2)),)
    assert [one.reason for one in plan_for(policy, demand=demand).explanations] == [
        Reason.WORKER_REQUESTED,
        Reason.GROUP_LIMIT,
    ]


def test_of_a_job_of_several_nodes_a_group_has_all_or_none() -> None:
    policy = Policy(group_limits={"physics": 7})
    demand = (a_demand(jobs=6, nodes=3, group="physics", size=a_size(2)),)
    plan = plan_for(policy, demand=demand, clouds=BOTH)
    assert [(one.reason, one.jobs) for one in plan.explanations] == [
        (Reason.WORKER_REQUESTED, 3),
        (Reason.GROUP_LIMIT, 3),
    ]


@given(
    jobs=st.lists(st.tuples(st.sampled_from(["physics", "biology", ""]), st.integers(0, 9), st.integers(1, 30))),
    used=st.dictionaries(st.sampled_from(["physics", "biology"]), st.integers(0, 40)),
    limits=st.dictionaries(st.sampled_from(["physics", "biology"]), st.integers(0, 40)),
)
def test_no_job_is_lost_and_no_group_gets_beyond_its_limit(
    jobs: list[tuple[str, int, int]], used: dict[str, int], limits: dict[str, int]
) -> None:
    waiting = tuple((a_demand(group=group, size=a_size(cpus), jobs=n), n) for group, cpus, n in jobs)
    allowed, beyond = within_limits(waiting, used, limits)
    assert sum(n for _, n in (*allowed, *beyond.jobs)) == sum(n for _, _, n in jobs)
    for group, limit in limits.items():
        cores = sum(max(1, demand.size.cpus) * n for demand, n in allowed if demand.group == group)
        assert cores <= max(0, limit - used.get(group, 0))
    assert all(demand.group in limits for demand, _ in beyond.jobs)
