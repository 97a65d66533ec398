"""`prominence webhook`, against a pretend API."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import pytest
from builders_cli import FakeApi, refusing, run_command

WEBHOOK = {
    "id": "ab12",
    "url": "https://example.org/hook\x1b",
    "events": ["jobFinished"],
    "user": "alice",
    "name": "portal",
    "madeAt": 1780315200,
    "isGone": False,
    "failures": 3,
    "reason": "TimedOut",
    "givenUp": [{"message": "msg_1", "event": "jobFinished", "at": 1780315200, "reason": "TimedOut"}],
}


def answering(body: Any, status: int = 200) -> FakeApi:
    return FakeApi(instead=deque([refusing(status, body)]))


def test_a_row_tells_how_each_does() -> None:
    result = run_command(
        answering([WEBHOOK, {"id": "cd", "group": "physics", "takenAt": 1780315200}]), "webhook", "list"
    )
    assert result.exit_code == 0, result.stderr
    head, first, second = (line.split() for line in result.stdout.splitlines())
    assert head == ["ID", "OWNER", "NAME", "URL", "EVENTS", "TAKEN", "TROUBLE"]
    assert first == [
        *("ab12", "alice", "portal", "https://example.org/hook\\x1b", "jobFinished", "-"),
        *("TimedOut", "(3),", "1", "given", "up"),
    ]
    assert second == ["cd", "physics", "-", "-", "-", "2026-06-01", "12:00:00", "-"]


def test_a_secret_alone_is_on_stdout() -> None:
    api = answering({**WEBHOOK, "secret": "whsec_s3cret"}, 201)
    result = run_command(
        api, "webhook", "create", "https://example.org", "--event", "jobFinished", "--group", "physics"
    )
    assert (result.exit_code, result.stdout) == (0, "whsec_s3cret\n")
    assert json.loads(api.asked[0].body or "") == {
        "url": "https://example.org",
        "events": ["jobFinished"],
        "group": "physics",
    }


def test_an_id_stays_within_its_part_of_the_address() -> None:
    api = answering({})
    assert run_command(api, "webhook", "delete", "../jobs").exit_code == 0
    assert str(api.asked[0].url).endswith("/webhooks/..%2Fjobs")


@pytest.mark.parametrize("body", [{}, [1], "x"])
def test_an_answer_of_another_shape_is_told_as_such(body: Any) -> None:
    result = run_command(answering(body), "webhook", "list")
    assert result.exit_code == 125
    assert "is not one that a PROMINENCE API gives" in result.stderr


def test_a_job_may_ask_for_both(tmp_path: Any) -> None:
    api = answering({"id": 1}, 201)
    run_command(api, "create", "--notify", "--notify-webhook", "busybox", "true")
    said = json.loads(api.asked[0].body or "")["notifications"]
    assert said == [{"event": "jobFinished", "type": "email"}, {"event": "jobFinished", "type": "webhook"}]
