"""A registry's token is written once, and then in no form of the job but the one that is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders import a_job, a_task, job_json
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.credentials import ImagePullCredential
from prominence.core.errors import Rejected
from prominence.core.job import JobSpec
from prominence.core.plan import HIDDEN, RegistryCredential
from prominence.core.validation import parse

TOKEN = "glpat-5eCret"
CREDENTIAL = {"username": "alice", "token": TOKEN}


def a_private_job(**changes: Any) -> JobSpec:
    return a_job(tasks=[a_task(imagePullCredential={**CREDENTIAL, **changes}), a_task()])


@pytest.mark.parametrize(
    ("credential", "sentence"),
    [
        ({}, "tasks[0].imagePullCredential.username: this field is required"),
        ({"username": "a"}, "tasks[0].imagePullCredential.token: this field is required"),
        ({**CREDENTIAL, "password": "x"}, "tasks[0].imagePullCredential.password: unknown field"),
        ({**CREDENTIAL, "username": ""}, "username: must have at least 1 character"),
        ({**CREDENTIAL, "username": "a:b"}, "username: must hold neither colons nor control characters"),
        ({**CREDENTIAL, "username": "a" * 257}, "username: must have at most 256 characters"),
        ({**CREDENTIAL, "token": ""}, "token: must have at least 1 character"),
        ({**CREDENTIAL, "token": "a\nb"}, "token: must not hold control characters"),
        ({**CREDENTIAL, "token": "a\0b"}, "token: must not hold control characters"),
        ({**CREDENTIAL, "token": "a" * 8193}, "token: must have at most 8192 characters"),
        ({**CREDENTIAL, "token": 7}, "token: must be a text"),
        ("alice:secret", "tasks[0].imagePullCredential: must be an object"),
    ],
)
def test_what_is_no_credential_is_refused_with_the_place_and_not_repeated(credential: Any, sentence: str) -> None:
    with pytest.raises(Rejected) as refusal:
        parse(JobSpec, job_json(tasks=[a_task(imagePullCredential=credential)]))
    assert sentence in str(refusal.value)
    assert TOKEN not in str(refusal.value) and "secret" not in str(refusal.value)


def test_no_form_of_a_job_holds_the_token_but_the_one_that_is_sent() -> None:
    job = a_private_job()
    for form in (str(job), repr(job), job.model_dump_json(), str(job.model_dump()), str(job.model_dump(mode="json"))):
        assert TOKEN not in form
    assert job.model_dump()["tasks"][0]["imagePullCredential"] == {"username": "alice", "token": HIDDEN}
    assert job.as_written()["tasks"][0]["imagePullCredential"] == CREDENTIAL
    assert "imagePullCredential" not in job.as_written()["tasks"][1]


def test_nor_is_it_printed_with_the_plan() -> None:
    assert TOKEN not in repr(RegistryCredential(**CREDENTIAL))


@given(st.text(), st.text())
def test_what_is_sent_is_read_as_it_was(username: str, token: str) -> None:
    try:
        job = parse(JobSpec, job_json(tasks=[a_task(imagePullCredential={"username": username, "token": token})]))
    except Rejected:
        return
    again = parse(JobSpec, json.loads(json.dumps(job.as_written())))
    assert again == job
    assert again.tasks[0].imagePullCredential == ImagePullCredential(username=username, token=token)
