"""Jobs of several nodes over HTTP: as many processes of HTCondor's, and one job to everybody."""

from __future__ import annotations

from typing import Any

import pytest
from builders import a_task, job_json
from builders_restapi import Api, a_report, an_api

from prominence.core import classads, document, plan, report
from prominence.core.jobid import JobId
from prominence.core.plan import ExecutionPlan
from prominence.core.report import NodeReport, Outcome, TaskReport
from prominence.core.states import HoldCode, JobStatus
from prominence.restapi.selection import Selection


@pytest.fixture
def api() -> Api:
    return an_api()


TWO = {"nodes": 2, "cpus": 1, "memory": 1, "disk": 10}


@pytest.fixture
def job(api: Api) -> int:
    return api.submit(resources=TWO, tasks=[a_task(type="openmpi")])


def node(job: int, number: int) -> JobId:
    return JobId.member(job, number)


def ads(api: Api, job: int) -> list[Any]:
    return api.queue.find(Selection(ids=(job,), with_nodes=True))


def test_it_is_as_many_processes_of_one_cluster_that_share_a_directory(api: Api, job: int) -> None:
    first, second = ads(api, job)
    assert (first[classads.CLUSTER_ID], second[classads.CLUSTER_ID]) == (job, job)
    assert [ad.get(classads.NODE) for ad in (first, second)] == [0, 1]
    assert first[classads.JOB_UID] == second[classads.JOB_UID]
    assert list(api.sandboxes.files) == [first[classads.JOB_UID]]
    orders = document.loads(ExecutionPlan, api.sandboxes.files[api.uid(job)][plan.FILE_NAME].decode())
    assert (orders.nodes, orders.everywhere, orders.tasks[0].runtimes) == (2, False, ("docker",))


def test_to_its_user_it_is_one_job(api: Api, job: int) -> None:
    assert [one["id"] for one in api.get("/jobs")] == [job]
    [described] = api.get(f"/jobs/{job}")
    assert (described["id"], described["resources"]["nodes"]) == (job, 2)


def test_it_runs_when_all_of_its_nodes_do(api: Api, job: int) -> None:
    api.run(job)
    assert api.get("/jobs")[0]["status"] == "idle"
    api.queue.change(node(job, 1), JobStatus.RUNNING)
    assert api.get("/jobs")[0]["status"] == "running"


def test_when_htcondor_has_ended_one_of_its_nodes_it_has_ended(api: Api, job: int) -> None:
    api.run(job)
    why = {classads.HOLD_REASON: "memory usage exceeded", classads.HOLD_REASON_CODE: int(HoldCode.OUT_OF_RESOURCES)}
    api.queue.change(node(job, 1), JobStatus.HELD, **why)
    [described] = api.get(f"/jobs/{job}")
    assert (described["status"], described["statusReasonCode"]) == ("killed", "MemoryExceeded")


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("the job was started too often", ("failed", "TooManyAttempts")),
        ("the job waited longer than it may", ("killed", "QueueTimeExceeded")),
        ("removed because <OtherJobRemoveRequirements = ClusterId == 1>", ("failed", "ExecutorFailed")),
    ],
)
def test_why_htcondor_has_removed_it_is_told(api: Api, job: int, reason: str, told: tuple[str, str]) -> None:
    for number in (0, 1):
        api.queue.leave(node(job, number) if number else job, JobStatus.REMOVED, RemoveReason=reason)
    [described] = api.get(f"/jobs/{job}")
    assert (described["status"], described["statusReasonCode"]) == told


def test_which_of_its_nodes_could_not_go_on_is_told(api: Api, job: int) -> None:
    reason = f"removed because <OtherJobRemoveRequirements = ClusterId == {job}> fired when job ({job}.1) was removed"
    for number in (0, 1):
        api.queue.leave(node(job, number) if number else job, JobStatus.REMOVED, RemoveReason=reason)
    [described] = api.get(f"/jobs/{job}")
    assert "its node 1 could not go on" in described["statusReason"]


@pytest.mark.parametrize(("verb", "path"), [("DELETE", "/jobs/{}"), ("PUT", "/jobs/{}/hold")])
def test_what_is_done_to_it_is_done_to_all_of_its_nodes(api: Api, job: int, verb: str, path: str) -> None:
    other = api.submit()
    assert api.call(verb, path.format(job)).status_code == 200
    states = {ad[classads.JOB_STATUS] for ad in ads(api, job)}
    assert states == (set() if verb == "DELETE" else {JobStatus.HELD})
    assert len(ads(api, other)) == 1


def test_its_report_tells_of_each_node(api: Api, job: int) -> None:
    second = NodeReport(1, Outcome.SUCCESS, host="worker-2", tasks=(TaskReport("a", exit_code=0),), cpu_model="Z80")
    api.write(job, report.FILE_NAME, document.dumps(a_report(nodes=(second,))).encode())
    api.queue.change(job, JobStatus.RUNNING)
    api.queue.leave(job, JobStatus.COMPLETED, CompletionDate=1, ExitCode=0)
    api.queue.leave(node(job, 1), JobStatus.COMPLETED, CompletionDate=1, ExitCode=0)
    assert [one["id"] for one in api.get("/jobs?completed=true")] == [job]
    [described] = api.get(f"/jobs/{job}")
    [shown] = described["execution"]["nodes"]
    assert (described["status"], shown["node"], shown["worker"], shown["outcome"]) == (
        *("completed", 1, "worker-2"),
        "success",
    )
    assert (shown["cpu"], [task["exitCode"] for task in shown["tasks"]]) == ({"model": "Z80"}, [0])


def test_what_each_node_has_written_is_apart(api: Api, job: int) -> None:
    api.write(job, "stdout", b"first")
    api.write(job, "stdout.node-1", b"second")
    assert [api.call("GET", f"/jobs/{job}/stdout{query}").data for query in ("", "?node=0", "?node=1")] == [
        *(b"first", b"first"),
        b"second",
    ]
    refused = api.call("GET", f"/jobs/{job}/stdout?node=2")
    assert (refused.status_code, "must be less than 2" in refused.text) == (400, True)


def test_the_nodes_may_come_of_the_cores_that_all_have_together(api: Api) -> None:
    job = api.submit(resources={"cpus": 4, "memory": 1, "disk": 10, "totalCpusRange": [5, 16]})
    assert len(ads(api, job)) == 2
    [described] = api.get(f"/jobs/{job}")
    assert (described["resources"]["nodes"], described["resources"]["totalCpusRange"]) == (2, [5, 16])


def test_a_task_that_no_mpi_starts_may_run_on_all_of_them(api: Api) -> None:
    job = api.submit(resources=TWO, policies={"runSerialTasksOnAllNodes": True})
    orders = document.loads(ExecutionPlan, api.sandboxes.files[api.uid(job)][plan.FILE_NAME].decode())
    assert (orders.everywhere, orders.tasks[0].runtimes[0]) == (True, "apptainer")


@pytest.mark.parametrize(
    ("path", "body", "complaint"),
    [
        ("/arrays", {"count": 2, "job": job_json(nodes=2)}, "a member of an array has one node"),
        ("/jobs", job_json(nodes=101), "resources.nodes: must be at most 100"),
        (
            "/jobs",
            job_json(resources={"nodes": 2, "cpusRange": [1, 2]}),
            "resources.cpusRange: is for jobs of one node",
        ),
        (
            "/jobs",
            job_json(nodes=2, policies={"checkpoint": {"path": "a"}}),
            "policies.checkpoint: is for jobs of one node",
        ),
        (
            "/jobs",
            job_json(nodes=2, tasks=[a_task(image="fit.sif", type="mpich")]),
            "tasks[0]: on several nodes an MPI's tasks run with Docker",
        ),
        (
            "/jobs",
            job_json(nodes=2, gpus={"count": 1}, tasks=[a_task(type="mpich")]),
            "tasks[0]: on several nodes an MPI's tasks run with Docker, without GPUs",
        ),
    ],
)
def test_what_cannot_have_several_is_refused(api: Api, path: str, body: Any, complaint: str) -> None:
    answer = api.call("POST", path, json=body)
    assert (answer.status_code, complaint in answer.text) == (400, True), answer.text
