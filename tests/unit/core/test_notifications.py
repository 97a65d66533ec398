"""What a job may ask to be told, and which addresses a message can go to."""

from __future__ import annotations

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from builders import job_json
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import Rejected
from prominence.core.job import JobSpec
from prominence.core.notifications import LONGEST_ADDRESS, is_address
from prominence.core.validation import parse

BY_EMAIL = {"event": "jobFinished", "type": "email"}
BAD = ["", "alice", "@example.org", "alice@", "a b@example.org", "a@b@c", "alice@example..org", ".a@b.org", "a.@b.org"]
HOSTILE = [
    "a@b.org\n",
    "a@b.org\r\nBcc: eve@b.org",
    "a@b.org,eve@b.org",
    "A <a@b.org>",
    '"a b"@b.org',
    "a@[::1]",
    "ä@b.org",
]


def test_a_job_may_ask_for_an_email_at_its_end() -> None:
    job = parse(JobSpec, job_json(notifications=[BY_EMAIL]))
    assert [one.model_dump() for one in job.notifications] == [BY_EMAIL]
    assert parse(JobSpec, job_json()).notifications == parse(JobSpec, job_json(notifications=[])).notifications == ()


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ([BY_EMAIL, BY_EMAIL], "notifications: email at jobFinished is there twice"),
        ([BY_EMAIL] * 11, "notifications: must be at most 10 notifications, not 11"),
        ([{**BY_EMAIL, "event": "jobStarted"}], r"notifications\[0\].event"),
        ([{**BY_EMAIL, "type": "sms"}], r"notifications\[0\].type"),
        ([{**BY_EMAIL, "to": "eve@example.org"}], r"notifications\[0\].to"),
        ([{"event": "jobFinished"}], r"notifications\[0\].type"),
        ({}, "notifications"),
        (BY_EMAIL, "notifications"),
    ],
)
def test_anything_else_is_refused(asked: Any, complaint: str) -> None:
    with pytest.raises(Rejected, match=complaint):
        parse(JobSpec, job_json(notifications=asked))


@pytest.mark.parametrize("text", ["alice@example.org", "a.b+c=d@x-y.example.org", "root@localhost", f"{'a' * 64}@b"])
def test_an_address_is_one(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize("text", [*BAD, *HOSTILE, f"{'a' * 65}@b", f"a@{'b.' * 130}org", None, 7, ["a@b"]], ids=ascii)
def test_what_is_not_one_address_is_none(text: object) -> None:
    assert not is_address(text)


@given(st.from_regex(r"[^@]{1,20}@[^@]{1,30}", fullmatch=True) | st.text(max_size=300))
def test_whatever_is_an_address_stands_in_a_message_as_it_is(text: str) -> None:
    if is_address(text):
        message = EmailMessage(SMTP)
        message["To"] = Address(addr_spec=text)
        assert (str(message["To"]), len(text) <= LONGEST_ADDRESS) == (text, True)
