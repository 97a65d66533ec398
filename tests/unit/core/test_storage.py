"""Storage of the user's own: what may be said of it, and that its secret is in no form of a job but the one sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders import a_job, a_task, job_json
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import Rejected
from prominence.core.job import JobSpec
from prominence.core.plan import HIDDEN, StorageSecret
from prominence.core.validation import parse

SECRET = "5eCret pass"
KINDS: dict[str, dict[str, Any]] = {
    "webdav": {"url": "https://cloud.example.org/dav/", "username": "alice", "password": SECRET},
    "b2drop": {"app-username": "alice", "app-password": SECRET},
    "s3": {
        **{"endpoint": "https://s3.example.org", "bucket": "my-data", "prefix": "runs/", "region": "eu-1"},
        **{"accessKey": "AK1", "secretKey": SECRET},
    },
    "onedata": {"provider": "one.example.org", "token": SECRET, "options": "--force-proxy-io"},
}


def storage(kind: str = "webdav", changes: dict[str, Any] | None = None, **outer: Any) -> dict[str, Any]:
    return {"type": kind, "mountpoint": "/data", kind: {**KINDS[kind], **(changes or {})}, **outer}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_read_and_sent_as_it_is_written_and_shown_without_its_secret(kind: str) -> None:
    job = a_job(storage=storage(kind, directory="a/$PROMINENCE_JOB_ID"))
    assert job.as_written()["storage"] == storage(kind, directory="a/$PROMINENCE_JOB_ID")
    assert parse(JobSpec, json.loads(json.dumps(job.as_written()))) == job
    for form in (str(job), repr(job), job.model_dump_json(), str(job.model_dump()), repr(StorageSecret(SECRET))):
        assert SECRET not in form
    shown = job.model_dump(exclude_defaults=True)["storage"]
    assert shown == storage(kind, {name: HIDDEN for name, value in KINDS[kind].items() if value == SECRET}, **{
        "directory": "a/$PROMINENCE_JOB_ID"
    })  # fmt: skip
    assert job.storage is not None and job.storage.with_secret("b").section.secret == "b"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"directory": "a"}, "storage.type: this field is required; storage.mountpoint: this field is required"),
        (storage(type="ftp"), "storage.type: must be one of"),
        (storage(type="s3"), "storage: webdav is not for the type s3"),
        ({"type": "s3", "mountpoint": "/data"}, "storage: the type s3 needs the section s3"),
        (storage(default=True), "storage.default: cannot be true; leave it out"),
        (storage(mountpoint=None), "storage.mountpoint: must be a text"),
        (storage(directory="a/../b"), 'storage.directory: must be a path on the storage, without "." or ".."'),
        (storage(directory="/"), "storage.directory: must be a path on the storage"),
        (storage("webdav", {"url": "ftp://a/"}), "storage.webdav.url: must be an address that begins with http://"),
        (storage("webdav", {"url": "https://u:p@a/"}), "storage.webdav.url: must be an address that begins with"),
        (storage("webdav", {"url": "https://a/?b=c"}), "storage.webdav.url: must be an address that begins with"),
        (storage("webdav", {"url": "https:///"}), "storage.webdav.url: must be an address"),
        (storage("webdav", {"username": "a:b"}), "storage.webdav.username: must hold neither colons"),
        (storage("webdav", {"password": "a\nb"}), "storage.webdav.password: must not hold control characters"),
        (storage("b2drop", {"app_username": "a"}), "storage.b2drop.app_username: unknown field"),
        (storage("s3", {"bucket": "a/b"}), "storage.s3.bucket: must be the name of a bucket"),
        (storage("s3", {"region": "eu 1"}), "storage.s3.region: must be letters"),
        (storage("onedata", {"provider": "a b"}), "storage.onedata.provider: must be the name of a host"),
        (storage("onedata", {"options": "-t abc"}), "storage.onedata.options: must say neither provider nor token"),
        (storage("onedata", {"options": "'a"}), "storage.onedata.options: cannot be split into words"),
    ],
)
def test_what_can_be_no_storage_is_refused_with_the_place_and_the_secret_is_not_repeated(
    said: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Rejected) as refusal:
        parse(JobSpec, job_json(storage=said))
    assert sentence in str(refusal.value)
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize(
    "path",
    [
        *(
            "data",
            "/",
            "/tmp",
            "/tmp/a",
            "/home",
            "/home/user",
            "/home/user/a",
            "/proc/1",
            "/dev/shm",
            "/sys",
            "/a/../b",
        ),
        *("/a//b", "/a:b", "/a,b"),
    ],
)
def test_it_is_mounted_where_it_is_in_nobodys_way(path: str) -> None:
    with pytest.raises(Rejected, match="storage.mountpoint"):
        parse(JobSpec, job_json(storage=storage(mountpoint=path)))


@pytest.mark.parametrize("other", ["/data", "/data/a", "/"])
def test_nor_over_an_artifact_or_beneath_one(other: str) -> None:
    artifacts = [{"url": "a.tgz", "mountpoint": f"a:{other}"}]
    with pytest.raises(Rejected, match="storage.mountpoint: an artifact is mounted at|mountpoint: its path"):
        parse(JobSpec, job_json(artifacts=artifacts, storage=storage(mountpoint="/data")))
    assert a_job(artifacts=artifacts[:0], storage=storage()).storage is not None


@given(st.text(), st.text(), st.text())
def test_whatever_is_taken_is_sent_as_it_was(username: str, password: str, directory: str) -> None:
    said = storage("webdav", {"username": username, "password": password}, directory=directory)
    try:
        job = parse(JobSpec, job_json(storage=said))
    except Rejected:
        return
    assert job.as_written()["storage"] == said
    assert job.model_dump()["tasks"] == a_job(tasks=[a_task()]).model_dump()["tasks"]
