"""What an instance of a workflow's job waits for."""

from __future__ import annotations

from typing import Any

import pytest
from builders import a_task
from builders_restapi import Api, an_api
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads
from prominence.core.states import Status
from prominence.core.validation import parse
from prominence.core.workflow import WorkflowSpec
from prominence.restapi.waits import ITS_TURN, Wait, Waits, clause

DONE, FAILED, RUNNING = Status.COMPLETED, Status.FAILED, Status.RUNNING


def a_workflow(*names: str, **fields: Any) -> WorkflowSpec:
    jobs = [{"name": name, "tasks": [a_task()], **fields.pop(name, {})} for name in names]
    for job in jobs:
        job["resources"] = {"cpus": 1, "memory": 1, "disk": 10}
    return parse(WorkflowSpec, {"jobs": jobs, **fields})


def repeated(job: str, count: int) -> dict[str, Any]:
    return {"name": f"many-{job}", "type": "repeat", "jobs": [job], "number": count}


@pytest.fixture
def diamond() -> WorkflowSpec:
    return a_workflow(
        *("fetch", "left", "right", "plot"),
        dependencies={"fetch": ["left", "right"], "left": ["plot"], "right": ["plot"]},
        factories=[repeated("fetch", 3)],
    )


def test_a_job_waits_for_those_before_it_that_are_not_done(diamond: WorkflowSpec) -> None:
    waits = Waits(diamond, {(0, 0): DONE, (0, 1): RUNNING})
    assert waits.of(0, 2) == []
    assert waits.of(1, 0) == [Wait("fetch", of=3, done=1)]
    assert waits.of(3, 0) == [Wait("left", of=1, done=0), Wait("right", of=1, done=0)]


def test_what_has_failed_is_counted_apart(diamond: WorkflowSpec) -> None:
    waits = Waits(diamond, {(0, 0): DONE, (0, 1): FAILED, (0, 2): DONE}).of(1, 0)
    assert waits == [Wait("fetch", of=3, done=2, failed=1)]
    assert clause(waits) == "fetch (2 of 3 done, 1 failed)"


def test_what_waits_for_nobody_waits_for_its_turn(diamond: WorkflowSpec) -> None:
    assert clause(Waits(diamond, {}).of(0, 0)) == ITS_TURN
    assert clause(Waits(diamond, {(0, number): DONE for number in range(3)}).of(1, 0)) == ITS_TURN


def test_an_instance_that_is_passed_the_output_of_its_own_number_waits_for_that_alone() -> None:
    passed = {"artifacts": [{"from": "fit", "select": "fit.dat"}]}
    spec = a_workflow(
        *("fit", "plot"),
        fit={"outputFiles": ["fit.dat"]},
        plot=passed,
        factories=[{"name": "both", "type": "repeat", "jobs": ["fit", "plot"], "number": 3}],
    )
    waits = Waits(spec, {(0, 1): DONE})
    assert [waits.of(1, number) for number in range(3)] == [
        [Wait("fit", of=1, done=0)],
        [],
        [Wait("fit", of=1, done=0)],
    ]


def test_many_are_not_all_named() -> None:
    assert clause([Wait(str(number), 1, 0) for number in range(12)]).endswith("9 (0 of 1 done) and others")


@given(st.dictionaries(st.tuples(st.integers(0, 1), st.integers(0, 4)), st.sampled_from(list(Status))))
def test_the_sums_match(statuses: dict[tuple[int, int], Status]) -> None:
    spec = a_workflow(
        "a", "b", "c", dependencies={"a": ["c"], "b": ["c"]}, factories=[repeated("a", 5), repeated("b", 5)]
    )
    found = {one.job: one for one in Waits(spec, statuses).of(2, 0)}
    for place, name in enumerate("ab"):
        done = sum(status is DONE for (job, _), status in statuses.items() if job == place)
        assert (name in found) is (done < 5)
        if name in found:
            assert found[name].done == done and found[name].done + found[name].failed <= found[name].of == 5


@pytest.fixture
def api() -> Api:
    return an_api()


def test_a_node_that_has_not_been_submitted_tells_what_it_waits_for(api: Api) -> None:
    workflow = api.submit_workflow(jobs=[api.a_step("fit"), api.a_step("plot")], dependencies={"fit": ["plot"]})
    [_, plot] = api.get(f"/workflows/{workflow}/nodes")
    assert plot["waitsFor"] == [{"job": "fit", "of": 1, "done": 0, "failed": 0}]
    assert plot["statusReason"] == "It waits for fit (0 of 1 done)."
    fit = api.start_step(workflow)
    api.run(fit)
    api.finish(fit)
    [_, plot] = api.get(f"/workflows/{workflow}/nodes")
    assert "waitsFor" not in plot and plot["statusReason"] == f"It waits for {ITS_TURN}."


def test_a_job_of_a_workflow_that_was_submitted_is_explained_as_any_other(api: Api) -> None:
    workflow = api.submit_workflow(jobs=[api.a_step("fit")])
    fit = api.start_step(workflow)
    api.run(fit)
    told = api.get(f"/jobs/{fit}/explain")
    assert (told["status"], classads.DAGMAN_ID in told) == ("running", False)
    assert api.call("GET", f"/jobs/{workflow}/explain").status_code == 404, "it is no job"
