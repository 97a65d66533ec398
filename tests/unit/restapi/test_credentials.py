"""A registry's token is in one file of the job's directory, and in nothing that anybody is told."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from builders import a_task
from builders_restapi import Api, a_report, an_api

from prominence.core import document, plan
from prominence.core.plan import Credentials, ExecutionPlan, RegistryCredential
from prominence.restapi.selection import Selection

TOKEN = "glpat-5eCret"
SHOWN = {"username": "robot", "token": "***"}


@pytest.fixture
def api() -> Api:
    return an_api()


def submit(api: Api, **changes: Any) -> int:
    private = a_task(imagePullCredential={"username": "robot", "token": TOKEN}, env={"A": "1"})
    return api.submit(tasks=[a_task(), private], **changes)


def files(api: Api, job: int) -> dict[str, str]:
    return {name: content.decode() for name, content in api.sandboxes.files[api.uid(job)].items()}


def credentials(api: Api, job: int) -> Credentials:
    return document.loads(Credentials, files(api, job)[plan.CREDENTIALS_FILE])


def test_it_is_in_a_file_of_its_own_that_travels_and_nowhere_else(
    api: Api, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    job = submit(api)
    assert credentials(api, job) == Credentials((None, RegistryCredential("robot", TOKEN)))
    assert [name for name, text in files(api, job).items() if TOKEN in text] == [plan.CREDENTIALS_FILE]
    [ad] = api.queue.find(Selection(ids=(job,)))
    assert TOKEN not in str(ad)
    told = api.call("GET", f"/jobs/{job}").text + api.call("GET", "/jobs?detail=true").text + caplog.text
    assert TOKEN not in told + "".join(capsys.readouterr())


def test_orders_say_which_tasks_have_one(api: Api) -> None:
    orders = document.loads(ExecutionPlan, files(api, submit(api))[plan.FILE_NAME])
    assert [task.private for task in orders.tasks] == [False, True]


def test_a_job_without_has_no_such_file(api: Api) -> None:
    assert plan.CREDENTIALS_FILE not in files(api, api.submit())


@pytest.mark.parametrize("ended", [False, True])
def test_its_user_sees_who_fetches_the_image_and_others_do_not(ended: bool, api: Api) -> None:
    job = submit(api)
    if ended:
        api.run(job)
        api.finish(job, a_report())
    assert [task.get("imagePullCredential") for task in api.describe(job)["tasks"]] == [None, SHOWN]
    assert api.as_user("bob").get(f"/jobs/{job}") == []


def test_a_clone_has_it_too(api: Api) -> None:
    first = submit(api)
    answer = api.call("PUT", f"/jobs/{first}/clone")
    assert (answer.status_code, answer.json) == (201, {"id": first + 1})
    assert credentials(api, first + 1) == credentials(api, first)
    assert api.describe(first + 1)["tasks"] == api.describe(first)["tasks"]


def test_a_job_that_changes_keeps_it(api: Api) -> None:
    job = submit(api)
    before = files(api, job)[plan.CREDENTIALS_FILE]
    change = {"labels": {"a": "1"}, "resources": {"walltime": 7}, "policies": {"priority": 3}}
    assert api.call("PATCH", f"/jobs/{job}", json=change).status_code == 200
    after = files(api, job)
    assert after[plan.CREDENTIALS_FILE] == before
    assert [name for name, text in after.items() if TOKEN in text] == [plan.CREDENTIALS_FILE]
    assert document.loads(ExecutionPlan, after[plan.FILE_NAME]).tasks[1].private
    assert credentials(api, api.call("PUT", f"/jobs/{job}/clone").json["id"]).of_tasks[1]  # type: ignore[index]


def test_what_is_described_is_no_job_to_submit_as_it_is(api: Api) -> None:
    described = api.describe(submit(api))
    answer = api.call("POST", "/jobs", json={"tasks": described["tasks"], "resources": described["resources"]})
    assert answer.status_code == 400
    assert "tasks[1].imagePullCredential.token: *** stands for a token" in answer.text


def test_once_it_is_gone_the_job_is_not_cloned(api: Api) -> None:
    job = submit(api)
    del api.sandboxes.files[api.uid(job)][plan.CREDENTIALS_FILE]
    answer = api.call("PUT", f"/jobs/{job}/clone")
    assert (answer.status_code, "no longer kept" in answer.text) == (400, True)


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff", b'{"of_tasks": [null]}', b'{"of_tasks": [{"token": 1}, null]}'])
def test_nor_once_its_worker_has_put_something_in_its_place(text: bytes, api: Api) -> None:
    job = submit(api)
    api.sandboxes.files[api.uid(job)][plan.CREDENTIALS_FILE] = text
    answer = api.call("PUT", f"/jobs/{job}/clone")
    assert (answer.status_code, "cannot be read" in answer.text) == (400, True)


def test_no_route_reads_that_file(api: Api) -> None:
    job = submit(api)
    name = plan.CREDENTIALS_FILE
    for path in (
        *(f"/jobs/{job}/{name}", f"/jobs/{job}/stdout?node={name}", f"/jobs/{job}/stdout/{name}", f"/data/{name}"),
        *(f"/jobs/{job}/snapshot?path={name}", f"/jobs/{job}/stdout/..%2F{name}", f"/jobs/{job}?fields={name}"),
    ):
        assert TOKEN not in api.call("GET", path).text, path


def test_a_request_that_is_sent_again_is_known_without_it(api: Api) -> None:
    task = a_task(imagePullCredential={"username": "robot", "token": TOKEN})
    body = {"tasks": [task], "resources": {"cpus": 1, "memory": 1, "disk": 1}}
    ids = {api.call("POST", "/jobs", json=body, headers={"Idempotency-Key": "k"}).json["id"] for _ in range(2)}  # type: ignore[index]
    assert len(ids) == 1
    kept = api.store.list("/prominence/")
    assert kept and TOKEN not in json.dumps([entry.value.decode(errors="replace") for entry in kept])
