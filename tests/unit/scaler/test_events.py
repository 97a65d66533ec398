"""What HTCondor's log of events says that must not wait for the next round."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prominence.scaler.adapters.events import EventLog


def event(kind: str) -> str:
    return (
        json.dumps({"MyType": kind, "Cluster": 7, "Proc": 0, "EventTime": "2026-05-01T12:00:00.250Z"}, indent=2) + "\n"
    )


def write(log: Path, text: str) -> None:
    with open(log, "a") as file:
        file.write(text)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "jobs"


@pytest.mark.parametrize("kind", ["SubmitEvent", "JobReleaseEvent", "JobEvictedEvent", "ShadowExceptionEvent"])
def test_a_job_that_becomes_idle_is_heard_once(file: Path, kind: str) -> None:
    log = EventLog(file)
    write(file, event(kind))
    assert log.heard()
    assert not log.heard()


@pytest.mark.parametrize("kind", ["ExecuteEvent", "JobTerminatedEvent", "JobImageSizeEvent", "JobAdInformationEvent"])
def test_what_needs_no_new_worker_is_not_heard(file: Path, kind: str) -> None:
    log = EventLog(file)
    write(file, event(kind) * 3)
    assert not log.heard()


def test_what_was_there_before_is_in_the_queue_already(file: Path) -> None:
    write(file, event("SubmitEvent"))
    assert not EventLog(file).heard()


def test_an_event_that_is_being_written_is_heard_when_it_is_whole(file: Path) -> None:
    log, text = EventLog(file), event("SubmitEvent")
    write(file, text[:40])
    assert not log.heard()
    write(file, text[40:])
    assert log.heard()


def test_the_log_is_followed_over_its_rotation(file: Path) -> None:
    write(file, event("ExecuteEvent"))
    log = EventLog(file)
    write(file, event("SubmitEvent"))
    file.rename(file.with_name("jobs.1"))
    write(file, event("ExecuteEvent"))
    assert log.heard()
    write(file, event("JobReleaseEvent"))
    assert log.heard()
    assert not log.heard()


def test_text_of_a_user_is_no_event(file: Path) -> None:
    log = EventLog(file)
    held = {"MyType": "JobHeldEvent", "HoldReason": '\n  "MyType": "SubmitEvent"\n'}
    write(file, json.dumps(held, indent=2) + "\n")
    assert not log.heard()


def test_a_log_that_cannot_be_read_is_told_once(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = EventLog(file)
    file.mkdir()
    assert not log.heard()
    assert not log.heard()
    assert len(caplog.records) == 1
