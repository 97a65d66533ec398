"""A running job is passed what its workflow says, of its own workflow, and nothing else ever."""

from __future__ import annotations

from typing import Any

import pytest
from builders_restapi import Api, an_api
from werkzeug.test import TestResponse

from prominence.core import classads, document, plan
from prominence.core.plan import ExecutionPlan, PlannedPassed
from prominence.core.states import JobStatus
from prominence.restapi import passed
from prominence.restapi.operations import BASE_PATH
from prominence.restapi.selection import Selection

SWEEP = {"type": "zip", "jobs": ["fit", "pair"], "parameters": [{"name": "x", "values": ["1", "2", "3"]}]}


@pytest.fixture
def api() -> Api:
    return an_api()


def submit(api: Api, *artifacts: dict[str, Any], taker: str = "last", **changes: Any) -> int:
    """fit has three instances, pair the same; first and last are one."""
    jobs = [
        api.a_step("first", outputFiles=["part-*", "log"], outputDirs=["tree/deep"]),
        api.a_step("fit", outputFiles=["out-$x.txt"], outputDirs=["dir-$x"]),
        api.a_step(taker, artifacts=list(artifacts), **changes),
    ]
    factory = {**SWEEP, "jobs": ["fit", *(["pair"] if taker == "pair" else [])]}
    return api.submit_workflow(jobs=jobs, factories=[factory])


def uid_of(api: Api, job: int) -> str:
    [ad] = api.queue.find(Selection(ids=(job,)))
    return str(ad[classads.JOB_UID])


def running(api: Api, workflow: int, index: int = 0) -> str:
    """The token of the taker's instance, which runs."""
    job = api.start_step(workflow, 2, index)
    api.queue.change(job, JobStatus.RUNNING)
    return api.sandboxes.files[uid_of(api, job)][plan.TOKEN_FILE].decode()


def keep(api: Api, node: str, *names: str, of: int = 0) -> None:
    whole = [uid for uid in api.sandboxes.files if "/" not in uid][of]
    for name in names:
        api.objects.store(f"scratch/{whole}/{node}/{name}", f"{node} {name}".encode())


def ask(api: Api, token: str, path: str = "", **wanted: Any) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"}
    return api.client.post(f"{BASE_PATH}/data/passed{path}", json={"number": 0, **wanted}, headers=headers)


def names(api: Api, token: str, **wanted: Any) -> dict[str, bool]:
    answer = ask(api, token, **wanted)
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    assert answer.json["more"] is False
    return dict(zip(answer.json["names"], answer.json["directories"], strict=True))


def got(api: Api, token: str, name: str, **wanted: Any) -> bytes:
    answer = ask(api, token, "/input", name=name, **wanted)
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    assert answer.json["url"].startswith("memory://workers/")
    return api.objects.get(answer.json["url"])


def test_what_one_job_has_kept_is_told_and_had(api: Api) -> None:
    token = running(api, submit(api, {"from": "first"}))
    keep(api, "0.0", "part-1", "part-2", "log", "tree/deep.tgz")
    assert names(api, token) == {"log": False, "part-1": False, "part-2": False, "tree/deep.tgz": True}
    assert got(api, token, "part-2") == b"0.0 part-2"


def test_what_is_selected_and_nothing_else_is_passed(api: Api) -> None:
    token = running(api, submit(api, {"from": "first", "select": "part-*"}, {"from": "first", "select": "tree/deep"}))
    keep(api, "0.0", "part-1", "log", "tree/deep.tgz")
    assert names(api, token) == {"part-1": False}
    assert names(api, token, number=1) == {"tree/deep.tgz": True}
    for name in ("log", "tree/deep.tgz", "../0.0/log", "part-1/x", ""):
        assert ask(api, token, "/input", name=name).status_code in (400, 403)


def test_of_several_instances_each_is_asked_for(api: Api) -> None:
    token = running(api, submit(api, {"from": "fit", "select": "out-*.txt"}))
    for index in range(3):
        keep(api, f"1.{index}", f"out-{index + 1}.txt", f"dir-{index + 1}.tgz")
    assert [names(api, token, instance=index) for index in range(3)] == [
        {"out-1.txt": False}, {"out-2.txt": False}, {"out-3.txt": False},
    ]  # fmt: skip
    assert got(api, token, "out-3.txt", instance=2) == b"1.2 out-3.txt"
    for wanted in ({"instance": 3}, {"number": 1}, {"instance": -1}, {"number": -1}):
        assert ask(api, token, **wanted).status_code in (400, 403)
        assert ask(api, token, "/input", name="out-1.txt", **wanted).status_code in (400, 403)


def test_in_pairs_an_instance_gets_what_its_own_has_kept_whatever_it_asks_for(api: Api) -> None:
    workflow = submit(api, {"from": "fit", "select": "out-$x.txt"}, taker="pair")
    for index in range(3):
        keep(api, f"1.{index}", f"out-{index + 1}.txt")
    token = running(api, workflow, 1)
    assert names(api, token) == {"out-2.txt": False}
    assert names(api, token, instance=2) == {"out-2.txt": False}
    assert got(api, token, "out-2.txt", instance=0) == b"1.1 out-2.txt"
    assert ask(api, token, "/input", name="out-3.txt", instance=2).status_code == 400


def test_a_directory_whose_name_holds_a_parameter_is_known_as_one(api: Api) -> None:
    token = running(api, submit(api, {"from": "fit", "select": "dir-*"}))
    keep(api, "1.0", "out-1.txt", "dir-1.tgz")
    assert names(api, token) == {"dir-1.tgz": True}


def test_another_workflows_outputs_are_not_passed(api: Api) -> None:
    submit(api, {"from": "first"})
    keep(api, "0.0", "log")
    token = running(api, submit(api, {"from": "first"}))
    assert names(api, token) == {}
    assert ask(api, token, "/input", name="log").status_code == 400


def test_who_does_not_run_or_is_passed_nothing_is_told_nothing(api: Api) -> None:
    workflow = submit(api, {"from": "first"})
    keep(api, "0.0", "log")
    job = api.start_step(workflow, 2)
    token = api.sandboxes.files[uid_of(api, job)][plan.TOKEN_FILE].decode()
    assert ask(api, token).status_code == 403
    other = api.start_step(workflow, 0)
    api.queue.change(other, JobStatus.RUNNING)
    token = api.sandboxes.files[uid_of(api, other)][plan.TOKEN_FILE].decode()
    assert [ask(api, token).status_code, ask(api, token, "/input", name="log").status_code] == [403, 403]
    assert ask(api, "no token").status_code == 401


def test_many_names_are_told_piece_by_piece(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passed, "AT_ONCE", 2)
    token = running(api, submit(api, {"from": "first", "select": "part-*"}))
    keep(api, "0.0", "part-1", "part-2", "part-3")
    told = [ask(api, token, after=after).json for after in ("", "part-2")]
    assert told == [
        {"names": ["part-1", "part-2"], "directories": [False, False], "more": True},
        {"names": ["part-3"], "directories": [False], "more": False},
    ]


def test_the_worker_is_told_how_many_there_are_and_where_they_go(api: Api) -> None:
    artifacts = [{"from": "first", "directory": "in"}, {"from": "fit", "select": "out-*", "executable": True}]
    submit(api, *artifacts)
    [whole] = [uid for uid in api.sandboxes.files if "/" not in uid]
    found = document.loads(ExecutionPlan, api.sandboxes.files[f"{whole}/2"][plan.FILE_NAME].decode())
    assert found.passed == (
        PlannedPassed("first", directory="in"),
        PlannedPassed("fit", "out-*", instances=3, numbered=True, directory="fit", executable=True),
    )
    assert found.has_files


def test_it_is_shown_as_it_was_written_and_cloned_with_its_workflow_alone(api: Api) -> None:
    artifacts = [{"from": "fit", "select": "out-$x.txt", "mountpoint": "d:/d"}, {"url": "https://example.org/x"}]
    workflow = submit(api, *artifacts, taker="pair", tasks=[{"image": "i:$x"}])
    assert api.get(f"/workflows/{workflow}")[0]["jobs"][2]["artifacts"] == artifacts
    job = api.start_step(workflow, 2, 1)
    told = api.describe(job)
    assert told["artifacts"] == [{**artifacts[0], "select": "out-2.txt"}, artifacts[1]]
    assert told["tasks"][0]["image"] == "i:2"
    answer = api.call("PUT", f"/jobs/{job}/clone")
    assert answer.status_code == 409
    assert "is passed outputs of other jobs; clone workflow 1" in answer.text
    answer = api.call("PUT", f"/workflows/{workflow}/clone")
    assert (answer.status_code, answer.json) == (201, {"id": 3})
    assert api.get("/workflows/3")[0]["jobs"][2]["artifacts"] == artifacts


def test_what_was_refused_makes_nothing(api: Api) -> None:
    body = {"jobs": [api.a_step("a"), api.a_step("b", artifacts=[{"from": "a"}, {"from": "c"}])]}
    answer = api.call("POST", "/workflows", json=body)
    assert answer.json == {
        "error": "jobs[1].artifacts[0].from: job a has neither outputFiles nor outputDirs to pass; "
        "jobs[1].artifacts[1].from: there is no job c",
        "reasonCode": "InvalidRequest",
    }
    assert not api.sandboxes.files


def test_what_runs_at_the_end_is_passed_what_is_there_and_goes_without_the_rest(api: Api) -> None:
    last = api.a_step("tell", artifacts=[
        {"from": "fit", "select": "out-*", "mountpoint": "fit:/fit"},
        {"url": "https://example.org/b.tgz", "mountpoint": "b:/b"},
        {"from": "fit", "select": "dir-*", "directory": "b", "mountpoint": "b:/b"},
    ])  # fmt: skip
    fit = api.a_step("fit", outputFiles=["out-$x.txt"], outputDirs=["dir-$x"])
    workflow = api.submit_workflow(jobs=[fit], factories=[{**SWEEP, "jobs": ["fit"]}], onFailure=last)
    job = api.start_step(workflow, 1, 0)
    api.queue.change(job, JobStatus.RUNNING)
    uid = uid_of(api, job)
    planned = document.loads(ExecutionPlan, api.sandboxes.files[uid.partition(".")[0]][plan.FILE_NAME].decode())
    assert [one.may_be_missing for one in planned.passed] == [True, True]
    assert [(one.directory, one.may_be_missing) for one in planned.mounts] == [("fit", True), ("b", False)]
    token = api.sandboxes.files[uid][plan.TOKEN_FILE].decode()
    keep(api, "0.1", "out-2.txt", "else")
    assert [names(api, token, instance=place) for place in range(3)] == [{}, {"out-2.txt": False}, {}]
