"""A job reads and writes its own objects while it runs, and nobody else's ever."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import jwt
import pytest
from builders import a_task
from builders_restapi import Api, an_api
from werkzeug.test import TestResponse

from prominence.core import classads, plan
from prominence.core.errors import ProminenceError
from prominence.core.states import JobStatus
from prominence.restapi import ledger
from prominence.restapi.limits import Limits
from prominence.restapi.operations import BASE_PATH
from prominence.restapi.outputs import matches
from prominence.restapi.selection import Selection

CONTENT = b"an input"


@pytest.fixture
def api() -> Api:
    made = an_api(limits=Limits(user_quota=1000))
    made.objects.store("uploads/alice/data.tgz", CONTENT)
    made.objects.store("groups/physics/shared", CONTENT)
    return made


def submit(api: Api, **changes: Any) -> int:
    asked = {"artifacts": [{"url": "data.tgz"}], "outputFiles": ["out*.txt", "run/log"], "outputDirs": ["results"]}
    return api.submit(**{**asked, **changes})


def token_of(api: Api, job: int) -> str:
    return api.sandboxes.files[api.uid(job)][plan.TOKEN_FILE].decode()


def trade(api: Api, token: str, kind: str, **wanted: Any) -> TestResponse:
    return api.client.post(f"{BASE_PATH}/data/{kind}", json=wanted, headers={"Authorization": f"Bearer {token}"})


def running(api: Api, **changes: Any) -> tuple[int, str]:
    job = submit(api, **changes)
    api.run(job)
    return job, token_of(api, job)


def url_of(answer: TestResponse) -> str:
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    return str(answer.json["url"])


def test_a_running_job_gets_its_inputs(api: Api) -> None:
    _, token = running(api)
    answer = trade(api, token, "input", name="data.tgz")
    assert api.objects.get(url_of(answer)) == CONTENT
    assert url_of(answer).startswith("memory://workers/")
    assert answer.json == {
        "url": url_of(answer),
        "size": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
    }


@pytest.mark.parametrize("name", ["out1.txt", "out.txt", "run/log", "results.tgz"])
def test_a_running_job_leaves_its_outputs(api: Api, name: str) -> None:
    job, token = running(api)
    api.objects.put(url_of(trade(api, token, "output", name=name)), b"result")
    assert [one.name for one in api.objects.list("scratch")] == [f"scratch/{api.uid(job)}/{name}"]


@pytest.mark.parametrize("status", [JobStatus.REMOVED, JobStatus.HELD])
def test_a_job_that_is_being_stopped_still_leaves_its_outputs_for_a_while(api: Api, status: JobStatus) -> None:
    job, token = running(api)
    now = int(api.clock.now().timestamp())
    stopped = {classads.LAST_STATUS: int(JobStatus.RUNNING), classads.ENTERED_STATUS_AT: now}
    api.queue.change(job, status, **stopped)
    assert trade(api, token, "output", name="out.txt").status_code == 201
    api.clock.advance(91)
    assert trade(api, token, "output", name="out.txt").status_code == 403


def test_a_job_that_was_stopped_before_it_ran_leaves_nothing(api: Api) -> None:
    job = submit(api)
    now = int(api.clock.now().timestamp())
    stopped = {classads.LAST_STATUS: int(JobStatus.IDLE), classads.ENTERED_STATUS_AT: now}
    api.queue.change(job, JobStatus.REMOVED, **stopped)
    assert trade(api, token_of(api, job), "output", name="out.txt").status_code == 403


@pytest.mark.parametrize("name", ["other.txt", "out/1.txt", "results", "run/log2", "../out.txt", "", "run/../out.txt"])
def test_what_a_job_was_not_to_keep_it_does_not(api: Api, name: str) -> None:
    _, token = running(api)
    assert trade(api, token, "output", name=name).status_code in (400, 403)


@pytest.mark.parametrize("name", ["shared", "physics/shared", "other", "../bob/data.tgz", "uploads/alice/data.tgz"])
def test_what_is_not_an_input_of_the_job_it_does_not_get(api: Api, name: str) -> None:
    _, token = running(api)
    assert trade(api, token, "input", name=name).status_code == 403


def test_a_job_that_does_not_run_gets_nothing(api: Api) -> None:
    job = submit(api)
    token = token_of(api, job)
    assert trade(api, token, "input", name="data.tgz").status_code == 403
    api.run(job)
    assert trade(api, token, "input", name="data.tgz").status_code == 201
    api.finish(job)
    api.clock.advance(6)
    assert trade(api, token, "input", name="data.tgz").status_code == 403
    assert trade(api, token, "output", name="out.txt").status_code == 403


def test_the_queue_is_asked_once_for_several_files_at_a_time(api: Api) -> None:
    _, token = running(api)
    trade(api, token, "input", name="data.tgz")
    api.queue.unavailable = "The schedd is away."
    assert trade(api, token, "output", name="out.txt").status_code == 201
    api.clock.advance(6)
    assert trade(api, token, "output", name="out.txt").status_code == 503


def test_a_jobs_token_is_no_users_and_a_users_no_jobs(api: Api) -> None:
    _, token = running(api)
    for method, path in (("GET", "/jobs"), ("GET", "/data"), ("POST", "/data/upload"), ("GET", "/kv")):
        headers = {"Authorization": f"Bearer {token}"}
        assert api.client.open(BASE_PATH + path, method=method, headers=headers).status_code == 401
    for kind in ("input", "output"):
        assert trade(api, "token-of-alice", kind, name="data.tgz").status_code == 401


@pytest.mark.parametrize(
    "changes",
    [{"aud": "prominence"}, {"iss": "prominence-local"}, {"scope": ""}, {"scope": None}, {"exp": 1}, {"exp": "soon"}],
)
def test_another_token_of_the_same_key_is_none(api: Api, changes: dict[str, Any]) -> None:
    job, token = running(api)
    key = b"the key of jobs' tokens in tests"
    claims = jwt.decode(token, key, algorithms=["HS256"], audience="prominence-job", options={"verify_exp": False})
    other = jwt.encode({**claims, **changes}, key, algorithm="HS256")
    assert trade(api, other, "input", name="data.tgz").status_code == 401


def test_a_token_says_no_more_than_it_must(api: Api) -> None:
    job, token = running(api)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert set(claims) == {"iss", "aud", "sub", "job", "scope", "iat", "exp"}
    assert claims["job"] == api.uid(job)
    assert claims["scope"] == "inputs:read outputs:write"


def test_a_job_without_objects_has_no_token(api: Api) -> None:
    job = api.submit(artifacts=[{"url": "https://example.org/data.tgz"}])
    assert plan.TOKEN_FILE not in api.sandboxes.files[api.uid(job)]
    assert ledger.find(api.uid(job), api.store) is None


def test_one_jobs_outputs_are_not_anothers(api: Api) -> None:
    first, token = running(api)
    second, _ = running(api)
    url = url_of(trade(api, token, "output", name="out.txt"))
    with pytest.raises(ProminenceError):
        api.objects.put(url.replace(api.uid(first), api.uid(second)), b"x")


def test_an_output_is_held_to_what_was_announced(api: Api) -> None:
    _, token = running(api)
    sha256 = hashlib.sha256(b"result").hexdigest()
    url = url_of(trade(api, token, "output", name="out.txt", size=6, sha256=sha256))
    for wrong in (b"resul", b"resulT", b"results"):
        with pytest.raises(ProminenceError):
            api.objects.put(url, wrong)
    api.objects.put(url, b"result")


def test_outputs_count_for_the_user_and_stop_at_the_quota(api: Api) -> None:
    _, token = running(api)
    assert trade(api, token, "output", name="out1.txt", size=600).status_code == 201
    assert trade(api, token, "output", name="out1.txt", size=600).status_code == 201
    assert api.get("/quota")["user"]["outputs"] == 600
    assert trade(api, token, "output", name="out2.txt", size=600).status_code == 507
    assert api.call("POST", "/data/upload", json={"filename": "a", "size": 600}).status_code == 507
    assert trade(api, token, "output", name="out1.txt", size=100).status_code == 201
    assert trade(api, token, "output", name="out2.txt", size=600).status_code == 201


def test_an_object_that_is_not_there_is_told_at_once(api: Api) -> None:
    body = {"tasks": [{"image": "a"}], "resources": {}, "artifacts": [{"url": "data.tgz"}, {"url": "lost"}]}
    answer = api.call("POST", "/jobs", json=body)
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"] == "artifacts[1].url: there is no object lost; upload it first"
    assert api.get("/jobs") == []


@pytest.mark.parametrize("url", ["chemists/x", "bob/data.tgz", "../bob/x"])
def test_objects_of_others_are_no_artifacts(api: Api, url: str) -> None:
    body = {"tasks": [{"image": "a"}], "resources": {}, "artifacts": [{"url": url}]}
    assert api.call("POST", "/jobs", json=body).status_code in (400, 403)


def test_a_group_has_artifacts_for_its_members(api: Api) -> None:
    _, token = running(api, artifacts=[{"url": "physics/shared"}])
    assert api.objects.get(url_of(trade(api, token, "input", name="physics/shared"))) == CONTENT


def test_the_plan_names_objects_and_no_addresses(api: Api) -> None:
    job = submit(api)
    text = api.sandboxes.files[api.uid(job)][plan.FILE_NAME].decode()
    assert json.loads(text)["artifacts"][0]["source"] == "data.tgz"
    assert "memory://" not in text


def test_what_is_in_inputs_travels_and_is_not_shown(api: Api) -> None:
    content = base64.b64encode(b"secret words").decode()
    job = api.submit(inputs=[{"filename": "run.sh", "content": content, "executable": True}])
    files = api.sandboxes.files[api.uid(job)]
    assert json.loads(files[plan.FILE_NAME])["inputs"] == [{"name": "run.sh", "content": content, "executable": True}]
    assert content.encode() not in files["spec.json"]
    assert json.loads(files["inputs.json"]) == [content]
    assert api.describe(job)["inputs"] == [{"filename": "run.sh", "executable": True}]


def test_what_a_job_kept_is_described_with_an_address_to_get_it_from(api: Api) -> None:
    job, token = running(api)
    api.objects.put(url_of(trade(api, token, "output", name="out7.txt")), b"seven")
    described = api.describe(job)
    [first, second] = described["outputFiles"]
    assert (first["name"], first["size"]) == ("out7.txt", 5)
    assert api.objects.get(first["url"]) == b"seven"
    assert first["url"].startswith("memory://users/")
    assert second == {"name": "run/log", "url": ""}
    assert described["outputDirs"] == [{"name": "results", "url": ""}]


def test_a_job_is_described_without_its_outputs_when_their_store_is_away(api: Api) -> None:
    job = submit(api)
    api.objects.unavailable = "Away."
    assert api.describe(job)["outputFiles"][0] == {"name": "out*.txt", "url": ""}


@pytest.mark.parametrize(
    ("name", "pattern", "fits"),
    [
        ("a.txt", "*.txt", True), ("a/b.txt", "*.txt", False), ("a/b.txt", "*/*.txt", True), ("a", "a", True),
        ("A", "a", False), ("a1", "a?", True), ("[x]", "[x]", False), ("x", "[x]", True), ("a", "a/b", False),
    ],
)  # fmt: skip
def test_a_pattern_matches_part_by_part(name: str, pattern: str, fits: bool) -> None:
    assert matches(name, pattern) == fits


INPUT = {"filename": "run.sh", "content": base64.b64encode(b"secret words").decode()}


def test_a_clone_has_the_same_inputs_and_objects_of_its_own(api: Api) -> None:
    job = submit(api, inputs=[INPUT])
    answer = api.call("PUT", f"/jobs/{job}/clone")
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    copy = int(answer.json["id"])
    planned = json.loads(api.sandboxes.files[api.uid(copy)][plan.FILE_NAME])
    assert planned["inputs"] == [{"name": "run.sh", "content": INPUT["content"], "executable": False}]
    api.run(copy)
    assert trade(api, token_of(api, copy), "input", name="data.tgz").status_code == 201


def test_a_job_that_is_edited_keeps_its_inputs(api: Api) -> None:
    job = submit(api, inputs=[INPUT])
    answer = api.call("PATCH", f"/jobs/{job}", json={"resources": {"walltime": 7}})
    assert answer.status_code in (200, 204), answer.text
    planned = json.loads(api.sandboxes.files[api.uid(job)][plan.FILE_NAME])
    assert planned["inputs"][0]["content"] == INPUT["content"]
    assert INPUT["content"].encode() not in api.sandboxes.files[api.uid(job)]["spec.json"]


def test_a_job_whose_input_files_are_gone_is_not_cloned_without_them(api: Api) -> None:
    job = submit(api, inputs=[INPUT])
    del api.sandboxes.files[api.uid(job)]["inputs.json"]
    answer = api.call("PUT", f"/jobs/{job}/clone")
    assert answer.status_code == 400
    assert answer.json is not None
    assert "no longer kept" in answer.json["error"]


def refused(api: Api, *tasks: dict[str, Any]) -> tuple[int, str]:
    answer = api.call("POST", "/jobs", json={"tasks": list(tasks), "resources": {"cpus": 1, "memory": 1, "disk": 10}})
    return answer.status_code, answer.text


def test_a_running_job_gets_the_image_that_it_names_and_no_other_object(api: Api) -> None:
    api.objects.store("uploads/alice/images/tool.sif", CONTENT)
    api.objects.store("groups/physics/tool.tar", CONTENT)
    api.objects.store("uploads/alice/tool.sif", b"another")
    job = api.submit(tasks=[a_task(image="tool.sif"), a_task(image="physics/tool.tar"), a_task(image="tool.sif")])
    api.run(job)
    for name in ("tool.sif", "physics/tool.tar"):
        assert trade(api, token_of(api, job), "input", name=name).status_code == 201
    for name in ("images/tool.sif", "data.tgz", "physics/shared"):
        assert trade(api, token_of(api, job), "input", name=name).status_code == 403


def test_an_image_that_was_not_uploaded_is_refused_with_its_path(api: Api) -> None:
    status, text = refused(api, a_task(image="busybox"), a_task(image="missing.sif"), a_task(image="other.tar"))
    assert status == 400
    assert "tasks[1].image: there is no object missing.sif; upload it first" in text
    assert "tasks[2].image: there is no object other.tar; upload it first" in text


def test_anothers_image_is_not_told_from_none(api: Api) -> None:
    api.objects.store("uploads/bob/tool.sif", CONTENT)
    assert "there is no object tool.sif" in refused(api, a_task(image="tool.sif"))[1]
    assert refused(api, a_task(image="chess/tool.sif"))[0] == 403


def test_an_image_with_another_checksum_than_is_meant_is_refused_at_once(api: Api) -> None:
    api.objects.store("uploads/alice/tool.sif", CONTENT)
    right = hashlib.sha256(CONTENT).hexdigest()
    status, text = refused(api, a_task(image="tool.sif", imageSha256="0" * 64))
    assert (status, "tasks[0].image: the object tool.sif has another checksum than imageSha256" in text) == (400, True)
    api.submit(tasks=[a_task(image="tool.sif", imageSha256=right)])


def test_a_job_with_an_image_from_the_web_has_no_token(api: Api) -> None:
    job = api.submit(tasks=[a_task(image="https://example.org/tool.sif?signature=secret")])
    assert plan.TOKEN_FILE not in api.sandboxes.files[api.uid(job)]
    assert "secret" not in str(api.queue.find(Selection(uid=api.uid(job))))
    assert api.describe(job)["tasks"][0]["image"].endswith("?signature=secret")
