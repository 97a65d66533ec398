"""A job's storage: what the worker is told of it, and that its secret is in one file that travels, and nowhere else."""

from __future__ import annotations

import logging
from typing import Any

import classad2
import htcondor2  # noqa: F401  # which gives ClassAds the functions that are HTCondor's own
import pytest
from builders import a_job, a_task
from builders_restapi import SITE, Api, a_report, an_api

from prominence.core import document, plan
from prominence.core.plan import ExecutionPlan, PlannedStorage, StorageSecret
from prominence.restapi.identity import Account
from prominence.restapi.selection import Selection
from prominence.restapi.translate.plan import B2DROP, runtimes
from prominence.restapi.translate.submit import describe

SECRET = "5eCret pass"
WEBDAV: dict[str, Any] = {
    "type": "webdav",
    "mountpoint": "/data",
    "webdav": {"url": "https://cloud.example.org/dav", "username": "alice", "password": SECRET},
}
SHOWN = {**WEBDAV, "webdav": {**WEBDAV["webdav"], "password": "***"}}
S3 = {
    **{"type": "s3", "mountpoint": "/data", "directory": "/d/$PROMINENCE_JOB_ID/"},
    "s3": {"endpoint": "https://s3.example.org", "bucket": "b-1", "accessKey": "a", "secretKey": SECRET},
}
ONEDATA = {"type": "onedata", "mountpoint": "/data", "onedata": {"provider": "p", "token": SECRET, "options": "-i"}}


@pytest.fixture
def api() -> Api:
    return an_api()


def files(api: Api, job: int) -> dict[str, str]:
    return {name: content.decode() for name, content in api.sandboxes.files[api.uid(job)].items()}


def planned(api: Api, storage: dict[str, Any]) -> PlannedStorage | None:
    return document.loads(ExecutionPlan, files(api, api.submit(storage=storage))[plan.FILE_NAME]).storage


def test_its_secret_is_in_a_file_of_its_own_that_travels_and_nowhere_else(
    api: Api, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    job = api.submit(storage=WEBDAV)
    assert [name for name, text in files(api, job).items() if SECRET in text] == [plan.STORAGE_FILE]
    assert document.loads(StorageSecret, files(api, job)[plan.STORAGE_FILE]) == StorageSecret(SECRET)
    [ad] = api.queue.find(Selection(ids=(job,)))
    told = api.call("GET", f"/jobs/{job}").text + api.call("GET", "/jobs?detail=true").text + caplog.text + str(ad)
    assert SECRET not in told + "".join(capsys.readouterr())
    assert plan.STORAGE_FILE not in files(api, api.submit())


@pytest.mark.parametrize("ended", [False, True])
def test_its_user_sees_all_but_that_and_others_nothing(ended: bool, api: Api) -> None:
    job = api.submit(storage=WEBDAV)
    if ended:
        api.run(job)
        api.finish(job, a_report())
    assert api.describe(job)["storage"] == SHOWN
    assert api.get(f"/jobs/{job}?fields=storage")[0]["storage"] == SHOWN
    assert api.as_user("bob").get(f"/jobs/{job}") == []


def test_a_clone_has_it_and_what_is_described_is_no_job_to_submit(api: Api) -> None:
    job = api.submit(storage=WEBDAV)
    clone = api.call("PUT", f"/jobs/{job}/clone").json["id"]  # type: ignore[index]
    assert files(api, clone)[plan.STORAGE_FILE] == files(api, job)[plan.STORAGE_FILE]
    described = api.describe(job)
    answer = api.call("POST", "/jobs", json={key: described[key] for key in ("tasks", "resources", "storage")})
    assert answer.status_code == 400
    assert "storage.webdav.password: *** stands for a token that is not shown" in answer.text
    del api.sandboxes.files[api.uid(job)][plan.STORAGE_FILE]
    refused = api.call("PUT", f"/jobs/{job}/clone")
    assert (refused.status_code, "no longer kept" in refused.text) == (400, True)


def test_members_of_an_array_share_it(api: Api) -> None:
    array = api.submit_array(2, storage=WEBDAV)
    assert [name for name, text in files(api, array).items() if SECRET in text] == [plan.STORAGE_FILE]
    assert SECRET not in str(api.get(f"/jobs/{array}.1")) + str(api.get(f"/arrays/{array}"))


def test_the_worker_is_told_of_each_kind(api: Api) -> None:
    at = "/data"
    assert planned(api, WEBDAV) == PlannedStorage(
        "webdav", at, "", {"url": "https://cloud.example.org/dav", "username": "alice"}
    )
    b2drop = {"type": "b2drop", "mountpoint": at, "b2drop": {"app-username": "u", "app-password": SECRET}}
    assert planned(api, b2drop) == PlannedStorage(
        "webdav", at, "", {"url": B2DROP, "username": "u", "vendor": "nextcloud"}
    )
    settings = {"endpoint": "https://s3.example.org", "bucket": "b-1", "access_key": "a"}
    assert planned(api, S3) == PlannedStorage("s3", at, "d/$PROMINENCE_JOB_ID", settings)
    assert planned(api, ONEDATA) == PlannedStorage("onedata", at, "", {"provider": "p", "options": "-i"})


@pytest.mark.parametrize("wish", [None, "docker", "podman", "apptainer"])
def test_its_tasks_run_with_apptainer_whatever_they_wish_for(wish: str | None) -> None:
    task = a_task() if wish is None else a_task(runtime=wish)
    job = a_job(tasks=[task, a_task(image="tool.tar")], storage=WEBDAV)
    assert [runtimes(one, job) for one in job.tasks] == [("apptainer",)] * 2


def suits(storage: dict[str, Any] | None, **told: str) -> bool:
    """Whether a worker that tells this of itself gets a job with this storage."""
    asking = classad2.ClassAd()
    job = a_job(storage=storage) if storage is not None else a_job()
    said = describe(job, "uid", Account("alice"), "/sandbox", SITE).commands["requirements"]
    asking["Requirements"] = classad2.ExprTree(said)
    slot = {"AuthenticatedIdentity": "w-1@workers", **{f"Prominence{name}": text for name, text in told.items()}}
    return asking.lookup("Requirements").simplify(asking, classad2.ClassAd(slot)).eval() is True


@pytest.mark.parametrize(
    ("storage", "told", "gets_it"),
    [
        (WEBDAV, {"Runtimes": "apptainer docker", "Storage": "webdav b2drop s3"}, True),
        (WEBDAV, {"Runtimes": "docker", "Storage": "webdav b2drop s3"}, False),
        (WEBDAV, {"Runtimes": "apptainer", "Storage": ""}, False),
        (WEBDAV, {}, False),
        (WEBDAV, {"Runtimes": "apptainer"}, False),
        (S3, {"Runtimes": "apptainer", "Storage": "webdav b2drop s3"}, True),
        (ONEDATA, {}, False),
        (ONEDATA, {"Runtimes": "apptainer", "Storage": "webdav b2drop s3"}, False),
        (ONEDATA, {"Runtimes": "apptainer", "Storage": "onedata"}, True),
        (None, {"Storage": ""}, True),
    ],
)
def test_it_goes_to_workers_that_can_mount_it(storage: Any, told: dict[str, str], gets_it: bool) -> None:
    assert suits(storage, **told) is gets_it
