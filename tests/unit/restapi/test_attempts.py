"""The attempts of a job, from HTCondor's events."""

from __future__ import annotations

from typing import Any

import pytest
from builders_restapi import a_report
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.reasons import Reason
from prominence.core.report import ExecutionReport, Outcome
from prominence.restapi.archive.attempts import MOST, TAKEN, follow, with_clouds_word
from prominence.restapi.archive.records import Event
from prominence.restapi.finished import Attempt

FAILED = a_report(Outcome.TASK_FAILED, reason=Reason.TASK_FAILED, details={"task": "0", "exit_code": "3"})
LOST_WORKER = "Job disconnected too long"
GONE = "deleted by the user (by user x)"


def told(*events: tuple[str, dict[str, Any]], report: ExecutionReport | None = None) -> tuple[Attempt, ...]:
    """The attempts of a job to which this happened, a second apart."""
    attempts: tuple[Attempt, ...] = ()
    for at, (kind, facts) in enumerate(events):
        attempts = follow(attempts, Event(kind, 7, at, facts), report)
    return attempts


START = ("ExecuteEvent", {"SlotName": "slot1_1@w-1"})
EVICTED = ("JobEvictedEvent", {"TerminatedAndRequeued": False})
RETRIED = ("JobEvictedEvent", {"TerminatedAndRequeued": True, "TerminatedNormally": True, "ReturnValue": 3})

ENDS = [
    ([("JobTerminatedEvent", {"ReturnValue": 0})], a_report(), "success", "", 0),
    ([("JobTerminatedEvent", {"ReturnValue": 3})], FAILED, "task failed", "exit code 3", 3),
    ([("JobTerminatedEvent", {"ReturnValue": 3})], None, "ended", "did not tell", 3),
    ([("JobTerminatedEvent", {"TerminatedBySignal": 9})], None, "ended", "did not tell", None),
    ([RETRIED], FAILED, "task failed", "exit code 3", 3),
    ([EVICTED], None, "interrupted", "", None),
    ([EVICTED, ("JobHeldEvent", {"HoldReason": "memory used up"})], None, "held", "memory used up", None),
    ([("JobHeldEvent", {"HoldReason": "no such file"})], None, "held", "no such file", None),
    ([EVICTED, ("JobAbortedEvent", {"Reason": GONE})], None, "removed", "deleted by the user", None),
    ([("JobReconnectFailedEvent", {"Reason": LOST_WORKER})], None, "lost", LOST_WORKER, None),
    ([("ShadowExceptionEvent", {"Message": "cannot connect"})], None, "lost", "cannot connect", None),
    ([START], None, "lost", "", None),
]  # fmt: skip


@pytest.mark.parametrize(("events", "report", "outcome", "reason", "code"), ENDS)
def test_an_attempt_says_how_it_ended(
    events: list[tuple[str, dict[str, Any]]],
    report: ExecutionReport | None,
    outcome: str,
    reason: str,
    code: int | None,
) -> None:
    first = told(START, *events, report=report)[0]
    assert (first.number, first.worker, first.started, first.ended) == (1, "w-1", 0, 1)
    assert (first.outcome, first.exit_code) == (outcome, code)
    assert reason in first.reason
    assert "(by user" not in first.reason


def test_every_start_is_an_attempt_of_its_own() -> None:
    attempts = told(START, RETRIED, START, ("JobReconnectFailedEvent", {}), ("ExecuteEvent", {"SlotName": "slot1@w-2"}))
    assert [(one.number, one.worker, one.outcome) for one in attempts] == [
        (1, "w-1", "ended"),
        (2, "w-1", "lost"),
        (3, "w-2", ""),
    ]


def test_a_job_that_never_started_has_none() -> None:
    assert told(("SubmitEvent", {}), ("JobHeldEvent", {"HoldReason": "x"}), ("JobAbortedEvent", {"Reason": "y"})) == ()


def test_what_comes_behind_the_end_changes_nothing() -> None:
    ended = told(START, ("JobTerminatedEvent", {"ReturnValue": 0}))
    assert told(START, ("JobTerminatedEvent", {"ReturnValue": 0}), ("JobAbortedEvent", {"Reason": "x"})) == ended


def test_a_job_that_breaks_every_worker_does_not_fill_the_disk() -> None:
    attempts = told(*([START] * (MOST + 50)))
    assert len(attempts) == MOST
    assert attempts[-1].number > attempts[-2].number


kinds = st.sampled_from(
    ["ExecuteEvent", "JobTerminatedEvent", "JobEvictedEvent", "JobHeldEvent", "JobAbortedEvent", "ShadowExceptionEvent"]
)
facts = st.dictionaries(
    st.sampled_from(["SlotName", "ReturnValue", "Reason", "HoldReason", "Message", "TerminatedAndRequeued"]),
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.integers())),
)


@given(st.lists(st.tuples(kinds, facts), max_size=8))
def test_whatever_is_told_attempts_follow_each_other(events: list[tuple[str, dict[str, Any]]]) -> None:
    attempts = told(*events)
    assert [one.number for one in attempts] == list(range(1, len(attempts) + 1))
    assert all(one.ended is not None for one in attempts[:-1])


@pytest.mark.parametrize("end", [EVICTED, ("ShadowExceptionEvent", {"Message": "cannot connect"})])
def test_an_attempt_that_ended_because_the_cloud_took_the_machine_says_so(end: tuple[str, dict[str, Any]]) -> None:
    attempts = told(START, end)
    for seen_at in (1, 30):  # imc sees it before the job has left, or a moment later
        [one] = with_clouds_word(attempts, {"w-1": seen_at})
        assert (one.reason, one.outcome) == (TAKEN, attempts[0].outcome)
    assert with_clouds_word(attempts, {"w-1": 1000}) == attempts  # that was before, and of something else
    assert with_clouds_word(attempts, {"w-2": 1}) == attempts


def test_what_comes_later_does_not_change_why_an_attempt_was_interrupted() -> None:
    attempts = with_clouds_word(told(START, EVICTED), {"w-1": 1})
    removed = Event("JobAbortedEvent", 7, 100, {"Reason": GONE})
    assert follow(attempts, removed, None) == attempts


@given(st.lists(st.tuples(kinds, facts), max_size=8), st.dictionaries(st.text(max_size=4), st.integers(), max_size=3))
def test_attempts_that_ended_otherwise_keep_their_word(
    events: list[tuple[str, dict[str, Any]]], taken: dict[str, int]
) -> None:
    attempts = told(*events)
    after = with_clouds_word(attempts, {"w-1": 0, **taken})
    assert [one.outcome for one in after] == [one.outcome for one in attempts]
    changed = [one for one, other in zip(attempts, after, strict=True) if one != other]
    assert all(one.outcome in ("interrupted", "lost") for one in changed)
