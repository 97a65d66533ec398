"""A running job saves checkpoints, of which the latest alone counts, and whole ones only."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from builders import job_json
from builders_restapi import Api, an_api
from werkzeug.test import TestResponse

from prominence.core import plan
from prominence.core.errors import Rejected
from prominence.core.job import JobSpec
from prominence.core.validation import parse
from prominence.restapi import ledger
from prominence.restapi.limits import Limits
from prominence.restapi.operations import BASE_PATH
from prominence.restapi.retention.sweep import sweep


@pytest.fixture
def api() -> Api:
    return an_api(limits=Limits(user_quota=1000))


POLICY = {"checkpoint": {"path": "state", "interval": 5}}


def running(api: Api, **changes: Any) -> tuple[int, str]:
    job = api.submit(**{"policies": POLICY, **changes})
    api.run(job)
    return job, api.sandboxes.files[api.uid(job)][plan.TOKEN_FILE].decode()


def say(api: Api, token: str, path: str, **body: Any) -> TestResponse:
    return api.client.post(f"{BASE_PATH}/data/{path}", json=body, headers={"Authorization": f"Bearer {token}"})


def begin(api: Api, token: str, content: bytes) -> dict[str, Any]:
    answer = say(api, token, "checkpoint", size=len(content), sha256=hashlib.sha256(content).hexdigest())
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    return dict(answer.json)


def save(api: Api, token: str, content: bytes) -> str:
    begun = begin(api, token, content)
    api.objects.put(begun["url"], content)
    assert say(api, token, "checkpoint/latest", name=begun["name"]).status_code == 204
    return str(begun["name"])


def latest(api: Api, token: str) -> bytes:
    answer = say(api, token, "checkpoint/restore")
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    content = api.objects.get(answer.json["url"])
    assert (answer.json["size"], answer.json["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    return content


def test_the_latest_is_the_one_to_go_on_from_and_the_one_before_goes(api: Api) -> None:
    job, token = running(api)
    assert say(api, token, "checkpoint/restore").status_code == 404
    save(api, token, b"one")
    assert latest(api, token) == b"one"
    name = save(api, token, b"two")
    assert latest(api, token) == b"two"
    assert [one.name for one in api.objects.list("checkpoints")] == [f"checkpoints/{api.uid(job)}/{name}"]


def test_instances_of_a_workflows_job_save_each_its_own(api: Api) -> None:
    repeat = {"type": "repeat", "jobs": ["a"], "number": 2}
    workflow = api.submit_workflow(jobs=[api.a_step("a", policies=POLICY)], factories=[repeat])
    for index in range(2):
        job = api.start_step(workflow, 0, index)
        api.run(job)
        token = api.sandboxes.files[f"{api.uid(workflow)}/0.{index}"][plan.TOKEN_FILE].decode()
        assert say(api, token, "checkpoint/restore").status_code == 404
        save(api, token, str(index).encode())
        assert latest(api, token) == str(index).encode()


def test_one_that_is_not_there_as_a_whole_never_counts(api: Api) -> None:
    _, token = running(api)
    save(api, token, b"one")
    begun = begin(api, token, b"two")
    for name in (begun["name"], "another", ""):
        assert say(api, token, "checkpoint/latest", name=name).status_code == 400
    assert latest(api, token) == b"one"


def test_one_that_broke_off_is_forgotten_when_the_next_is_begun(api: Api) -> None:
    _, token = running(api)
    first, lost = save(api, token, b"one"), begin(api, token, b"lost")
    api.objects.put(lost["url"], b"lost")
    begin(api, token, b"two")
    assert [one.name.rpartition("/")[2] for one in api.objects.list("checkpoints")] == [first]
    assert say(api, token, "checkpoint/latest", name=lost["name"]).status_code == 400


def test_they_count_against_the_users_quota(api: Api) -> None:
    _, token = running(api)
    save(api, token, b"x" * 600)
    assert ledger.outputs_of("alice", api.services.store) == 600
    answer = say(api, token, "checkpoint", size=500, sha256="0" * 64)
    assert (answer.status_code, "quota" in answer.text) == (507, True)
    save(api, token, b"x" * 300)
    assert ledger.outputs_of("alice", api.services.store) == 300


def test_a_job_that_was_not_to_save_any_does_not(api: Api) -> None:
    _, token = running(api, policies={}, outputFiles=["a"])
    for path, body in (("checkpoint", {"size": 1, "sha256": "0" * 64}), ("checkpoint/restore", {})):
        assert say(api, token, path, **body).status_code == 403


def test_a_job_that_does_not_run_has_none(api: Api) -> None:
    job = api.submit(policies=POLICY)
    token = api.sandboxes.files[api.uid(job)][plan.TOKEN_FILE].decode()
    assert say(api, token, "checkpoint/restore").status_code == 403


def test_jobs_have_their_own(api: Api) -> None:
    _, one = running(api)
    _, other = running(api)
    save(api, one, b"one")
    assert say(api, other, "checkpoint/restore").status_code == 404


def test_they_are_forgotten_with_the_job(api: Api) -> None:
    job, token = running(api)
    save(api, token, b"one")
    api.finish(job)
    sweep(api.services)
    assert len(api.objects.list("checkpoints")) == 1
    api.clock.advance(api.services.limits.outputs_kept.total_seconds() + 1)
    sweep(api.services)
    assert api.objects.list("checkpoints") == []
    assert ledger.outputs_of("alice", api.services.store) == 0


@pytest.mark.parametrize(
    "policy",
    [{"path": "../x"}, {"path": "/etc"}, {"path": ""}, {"interval": 5}, {"path": "a", "interval": 0.01}, {"path": 1}],
)
def test_what_cannot_be_saved_is_refused(policy: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as refused:
        parse(JobSpec, job_json(policies={"checkpoint": policy}))
    assert all(one.path.startswith("policies.checkpoint") for one in refused.value.mistakes)
