"""Clouds that are for the jobs of some groups alone."""

from __future__ import annotations

import pytest
from builders import a_cloud, a_demand, a_flavour
from builders_scaler import POLICY, a_known_worker, a_point, plan_for
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.classads import accounting_name
from prominence.core.machines import CloudStatus
from prominence.core.placement import Area, Placement
from prominence.core.reasons import Reason
from prominence.core.scaling import Act
from prominence.core.snapshot import Demand
from prominence.scaler.act import request_for

CHEAP = a_flavour(cloud="theirs", name="cheap", price=1.0)
DEAR = a_flavour(cloud="open", name="dear", price=9.0)
THEIRS = a_cloud(name="theirs", flavours=(CHEAP,), groups=("physics.lab",))
OPEN = a_cloud(name="open", flavours=(DEAR,))
PHYSICS = accounting_name("physics.lab")


def ordered(*jobs: Demand, clouds: tuple[CloudStatus, ...] = (THEIRS, OPEN)) -> list[str]:
    plan = plan_for(POLICY, demand=jobs, clouds=clouds)
    return [action.flavour for action in plan.actions if action.act is Act.CREATE]


@pytest.mark.parametrize(("group", "flavour"), [(PHYSICS, "cheap"), ("chemistry", "dear"), ("", "dear")])
def test_a_machine_is_ordered_where_the_group_may_have_one(group: str, flavour: str) -> None:
    assert ordered(a_demand(group=group)) == [flavour]


def test_the_request_tells_imc_for_whom_it_is() -> None:
    [action] = plan_for(POLICY, demand=(a_demand(group=PHYSICS),), clouds=(THEIRS,)).actions
    assert request_for(action, 1).groups == (PHYSICS,)


def test_many_jobs_are_divided_among_the_clouds_of_their_groups() -> None:
    found = ordered(a_demand(group=PHYSICS, jobs=4), a_demand(group="chemistry", jobs=4, user="bob"))
    assert set(found) == {"cheap", "dear"}


def test_a_worker_of_others_is_no_room() -> None:
    worker, point = a_known_worker(flavour=CHEAP), a_point(flavour=CHEAP, cloud="theirs")
    plan = plan_for(
        POLICY, demand=(a_demand(group="chemistry"),), clouds=(THEIRS, OPEN), workers=(worker,), execute_points=(point,)
    )
    assert [action.flavour for action in plan.actions if action.act is Act.CREATE] == ["dear"]


def test_a_job_that_no_cloud_is_open_to_is_told_so_and_known_by_what_it_says_itself() -> None:
    must = Placement(requirements=Area(sites=("theirs",)))
    [one] = plan_for(POLICY, demand=(a_demand(group="chemistry", placement=must),), clouds=(THEIRS, OPEN)).explanations
    assert (one.reason, one.placement) == (Reason.NO_SUCH_PLACE, must)
    assert "cloud theirs is not open to group chemistry" in one.sentence()


@given(st.lists(st.sampled_from(["physics", "chemistry", ""]), min_size=1, max_size=6))
def test_no_machine_is_ordered_where_its_jobs_may_not_run(groups: list[str]) -> None:
    theirs = a_cloud(name="theirs", flavours=(CHEAP,), groups=("physics",))
    jobs = tuple(a_demand(group=group, user=f"user-{number}", nodes=1) for number, group in enumerate(groups))
    plan = plan_for(POLICY, demand=jobs, clouds=(theirs, OPEN))
    for action in plan.actions:
        assert action.cloud == "open" or set(action.groups) == {"physics"}
