"""How each instance of a workflow's jobs is told to be, over HTTP, on memory services."""

from __future__ import annotations

from typing import Any

import pytest
from builders_restapi import TOKENS, Api, a_report, an_api
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads, document
from prominence.core.reasons import Reason
from prominence.core.report import Outcome
from prominence.core.states import JobStatus, Status
from prominence.restapi.adapters.memory import MemoryIdentities
from prominence.restapi.finished import LastJob
from prominence.restapi.identity import Identity
from prominence.restapi.nodes import last_of

FACTORY = {"type": "zip", "jobs": ["fit"], "parameters": [{"name": "x", "values": [1, "two", 3]}]}


@pytest.fixture
def api() -> Api:
    return an_api()


def submitted(api: Api) -> int:
    """Three instances of "fit", for which "plot" waits."""
    jobs = [api.a_step("fit"), api.a_step("plot")]
    return api.submit_workflow(name="scan", jobs=jobs, factories=[FACTORY], dependencies={"fit": ["plot"]})


def ends(api: Api, job_id: int, exit_code: int = 0) -> None:
    facts: dict[str, Any] = {classads.EXIT_CODE: exit_code, classads.EXIT_BY_SIGNAL: False}
    api.queue.leave(job_id, JobStatus.COMPLETED, **facts, **{classads.FINISHED_AT: int(api.clock.now().timestamp())})


def workflow_ends(api: Api, workflow: int, **counts: int) -> None:
    api.queue.leave(workflow, JobStatus.COMPLETED, **{classads.EXIT_CODE: 1, classads.EXIT_BY_SIGNAL: False}, **counts)


def statuses(api: Api, workflow: int, query: str = "") -> list[tuple[str, int | None, str, int | None]]:
    found = api.get(f"/workflows/{workflow}/nodes{query}")
    return [(one["job"], one.get("instance"), one["status"], one.get("id")) for one in found]


def test_each_instance_is_told_with_its_job_whether_it_waits_runs_or_has_ended(api: Api) -> None:
    workflow = submitted(api)
    done, running = api.start_step(workflow), api.start_step(workflow, index=1)
    api.queue.change(running, JobStatus.RUNNING)
    ends(api, done)
    assert statuses(api, workflow) == [
        ("fit", 0, "completed", done),
        ("fit", 1, "running", running),
        ("fit", 2, "waiting", None),
        ("plot", None, "waiting", None),
    ]
    first, _, third, last = api.get(f"/workflows/{workflow}/nodes")
    assert (first["parameters"], third["parameters"], "parameters" in last) == ({"x": 1}, {"x": 3}, False)
    assert third["statusReasonCode"] == Reason.WAITS_FOR_JOBS
    assert {"createTime", "endTime"} <= set(first["events"])


def test_what_runs_at_the_end_is_there_when_it_has_been_submitted(api: Api) -> None:
    workflow = api.submit_workflow(jobs=[api.a_step("a")], onFailure=api.a_step("tell"))
    assert statuses(api, workflow) == [("a", None, "waiting", None)]
    ends(api, api.start_step(workflow), 1)
    last = api.start_step(workflow, 1)
    assert statuses(api, workflow)[1:] == [("tell", None, "idle", last)]
    assert statuses(api, workflow, "?job=tell") == [("tell", None, "idle", last)]


def test_what_has_failed_is_told_with_its_reason_and_what_was_not_run_because_of_it(api: Api) -> None:
    workflow = submitted(api)
    for index, code in ((0, 0), (1, 3), (2, 0)):
        job_id = api.start_step(workflow, index=index)
        if code:
            told = a_report(
                Outcome.TASK_FAILED, exit_code=code, reason=Reason.TASK_FAILED, details={"task": "0", "exit_code": "3"}
            )
            api.write_of_step(job_id, "report.json", document.dumps(told).encode())
        ends(api, job_id, code)
    workflow_ends(api, workflow, DAG_NodesDone=2, DAG_NodesFailed=1)
    [failed] = api.get(f"/workflows/{workflow}/nodes?status=failed,killed")
    assert (failed["instance"], failed["exitCode"], failed["statusReasonCode"]) == (1, 3, Reason.TASK_FAILED)
    assert failed["statusReason"].startswith("Task 0 ended with exit code 3.")
    [left] = api.get(f"/workflows/{workflow}/nodes?status=waiting")
    assert (left["job"], left["statusReasonCode"]) == ("plot", Reason.NOT_RUN)


def test_an_instance_that_was_submitted_again_is_as_its_newest_job_is(api: Api) -> None:
    workflow = submitted(api)
    ends(api, api.start_step(workflow), 1)
    again = api.start_step(workflow)
    assert statuses(api, workflow)[0] == ("fit", 0, "idle", again)
    ends(api, again)
    assert statuses(api, workflow)[0] == ("fit", 0, "completed", again)


def test_of_a_run_again_what_was_done_before_is_done_and_what_had_failed_waits(api: Api) -> None:
    workflow = submitted(api)
    jobs = [api.start_step(workflow, index=index) for index in range(3)]
    for job_id, code in zip(jobs, (0, 1, 0), strict=True):
        ends(api, job_id, code)
    workflow_ends(api, workflow, DAG_NodesDone=2, DAG_NodesFailed=1)
    answer = api.call("PUT", f"/workflows/{workflow}").json
    assert answer is not None
    rerun = answer["id"]
    assert statuses(api, rerun, "?job=fit") == [
        ("fit", 0, "completed", jobs[0]),
        ("fit", 1, "waiting", None),
        ("fit", 2, "completed", jobs[2]),
    ]
    assert statuses(api, workflow, "?job=fit")[1] == ("fit", 1, "failed", jobs[1])
    ends(api, api.start_step(rerun, index=1))
    assert statuses(api, workflow, "?job=fit")[1] == ("fit", 1, "failed", jobs[1])  # as it was left


def test_pages_have_every_node_once_whatever_happens_between_them(api: Api) -> None:
    workflow = submitted(api)
    seen: list[tuple[str, int | None]] = []
    cursor = ""
    while True:
        answer = api.call("GET", f"/workflows/{workflow}/nodes?limit=1{cursor}")
        assert answer.json is not None
        seen += [(one["job"], one.get("instance")) for one in answer.json]
        if "X-Prominence-Cursor" not in answer.headers:
            break
        cursor = f"&cursor={answer.headers['X-Prominence-Cursor']}"
        ends(api, api.start_step(workflow, index=len(seen) - 1))
    assert seen == [("fit", 0), ("fit", 1), ("fit", 2), ("plot", None)]


def test_what_there_is_not_is_refused(api: Api) -> None:
    workflow = submitted(api)
    for query, status in (("?job=c", 404), ("?status=done", 400), ("?limit=0", 400), ("?cursor=x", 400)):
        assert api.call("GET", f"/workflows/{workflow}/nodes{query}").status_code == status
    of_names = api.call("GET", "/jobs?sort=name&limit=1&all").headers.get("X-Prominence-Cursor")
    assert api.call("GET", f"/workflows/{workflow}/nodes?cursor={of_names}").status_code == 400
    assert api.call("GET", "/workflows/99/nodes").status_code == 404


def test_an_operator_sees_how_they_are_and_no_values() -> None:
    known = {**TOKENS, "token-of-olga": Identity("olga", operator=True)}
    api = an_api(identities=MemoryIdentities(known))
    workflow = submitted(api)
    assert "two" not in api.as_user("olga").call("GET", f"/workflows/{workflow}/nodes").text
    assert len(api.as_user("olga").get(f"/workflows/{workflow}/nodes")) == 4
    assert api.as_user("bob").call("GET", f"/workflows/{workflow}/nodes").status_code == 404


_ended = st.sampled_from([Status.COMPLETED, Status.FAILED, Status.DELETED])


@given(st.lists(st.builds(LastJob, st.integers(1, 4), st.sampled_from("abc"), st.integers(1, 99), _ended)))
def test_what_was_done_in_any_run_stays_done_unless_this_run_has_failed_at_it(left: list[LastJob]) -> None:
    found = last_of(4, left)
    own = {one.uid: one for one in left if one.workflow == 4}
    for uid, (job_id, status) in found.items():
        if uid in own:
            assert (job_id, status) == (own[uid].job_id, own[uid].status)
        else:
            assert status is Status.COMPLETED
    assert set(found) == {one.uid for one in left if one.workflow == 4 or one.status is Status.COMPLETED}
