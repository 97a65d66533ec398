"""Users are told once that a workflow has ended, and those of its jobs of which they want to know."""

from __future__ import annotations

from typing import Any

import pytest
from builders_mail import ALICES, BY_EMAIL, Office, an_office
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads
from prominence.core.states import JobStatus
from prominence.core.verdict import DELETED_BY_OPERATOR
from prominence.restapi.mail import outbox
from prominence.restapi.mail.letters import Letter
from prominence.restapi.outbox.waiting import about, key_of, uid_of
from prominence.restapi.selection import Selection

AT_ITS_END = [{"event": "workflowFinished", "type": "email"}]


def submitted(office: Office, **changes: Any) -> int:
    """Two jobs, one of which waits for the other; its user wants to be told."""
    jobs = [office.api.a_step("a"), office.api.a_step("b")]
    fields = {"name": "scan", "jobs": jobs, "dependencies": {"a": ["b"]}, "notifications": AT_ITS_END, **changes}
    return office.api.submit_workflow(**fields)


def leave(office: Office, job_id: int, exit_code: int = 0, **counts: int) -> None:
    """A job, or a workflow, ends."""
    facts: dict[str, Any] = {classads.EXIT_CODE: exit_code, classads.EXIT_BY_SIGNAL: False, classads.STARTS: 1}
    facts[classads.FINISHED_AT] = int(office.api.clock.now().timestamp())
    office.api.queue.leave(job_id, JobStatus.COMPLETED, **facts, **counts)


def rerun(office: Office, workflow: int) -> int:
    answer = office.api.call("PUT", f"/workflows/{workflow}").json
    assert answer is not None
    return int(answer["id"])


@pytest.fixture
def office() -> Office:
    return an_office()


def test_it_is_told_once_how_a_workflow_has_ended(office: Office) -> None:
    workflow = submitted(office)
    assert office.round() == []
    leave(office, office.api.start_step(workflow))
    assert office.round() == []
    leave(office, workflow, 1, DAG_NodesDone=1, DAG_NodesFailed=1)
    assert office.round() == [f"Workflow {workflow} (scan): failed"]
    office.restart()
    assert office.round() == []
    assert outbox.LETTERS.all(office.api.store) == {}
    [letter] = office.mailer.sent
    text = letter.get_content()
    assert str(letter["To"]) == ALICES
    for line in ("Jobs:       1 of 2 done, 1 failed", f"prominence workflow failures {workflow}"):
        assert line in text


def test_a_workflow_that_did_not_ask_tells_nobody_and_one_that_is_shown_says_what_was_asked(office: Office) -> None:
    workflow = submitted(office, notifications=[])
    leave(office, workflow)
    assert office.round() == []
    [told] = office.api.get(f"/workflows/{submitted(office)}")
    assert told["notifications"] == AT_ITS_END


def test_one_that_stays_in_the_queue_has_ended_too(office: Office) -> None:
    workflow = submitted(office, policies={"leaveInQueue": True})
    ended = {classads.FINISHED_AT: int(office.api.clock.now().timestamp()), classads.EXIT_CODE: 0}
    office.api.queue.change(workflow, JobStatus.COMPLETED, **ended)
    assert office.round() == [f"Workflow {workflow} (scan): completed"]
    office.api.queue.leave(workflow, JobStatus.COMPLETED)
    assert office.round() == []


def test_who_deletes_it_need_not_be_told_but_its_user_is_when_an_operator_does(office: Office) -> None:
    own, others = submitted(office), submitted(office)
    assert office.api.call("DELETE", f"/workflows/{own}").status_code == 200
    office.api.queue.leave(others, JobStatus.REMOVED, RemoveReason=DELETED_BY_OPERATOR)
    assert office.round() == [f"Workflow {others} (scan): deleted"]


def test_each_run_of_it_is_told_once_however_soon_it_is_run_again(office: Office) -> None:
    first = submitted(office)
    leave(office, first, 1, DAG_NodesFailed=1)
    second = rerun(office, first)
    leave(office, second, 1, DAG_NodesFailed=1)
    assert office.round() == [f"Workflow {first} (scan): failed", f"Workflow {second} (scan): failed"]
    third = rerun(office, second)
    assert office.round() == []
    leave(office, third)
    assert office.round() == [f"Workflow {third} (scan): completed"]
    assert outbox.LETTERS.all(office.api.store) == {}
    assert len({str(one["Message-ID"]) for one in office.mailer.sent}) == 3


def test_a_job_of_it_that_asks_is_told_of_and_of_what_is_done_not_again(office: Office) -> None:
    jobs = [office.api.a_step(name, notifications=BY_EMAIL) for name in ("a", "b")]
    workflow = submitted(office, jobs=jobs, notifications=[])
    done = office.api.start_step(workflow)
    leave(office, done)
    assert office.round() == [f"Job {done} (scan/a): completed"]
    failed = office.api.start_step(workflow, place=1)
    leave(office, failed, 1)
    leave(office, workflow, 1, DAG_NodesDone=1, DAG_NodesFailed=1)
    assert office.round() == [f"Job {failed} (scan/b): failed"]
    again = rerun(office, workflow)
    assert len(outbox.LETTERS.all(office.api.store)) == 1
    last = office.api.start_step(again, place=1)
    leave(office, last)
    assert office.round() == [f"Job {last} (scan/b): completed"]
    assert outbox.LETTERS.all(office.api.store) == {}
    assert len({str(one["Message-ID"]) for one in office.mailer.sent}) == 3


def test_who_has_no_address_cannot_ask_and_one_of_whom_no_note_can_be_taken_is_not_queued(office: Office) -> None:
    document = {"jobs": [office.api.a_step("a")], "notifications": AT_ITS_END}
    answer = office.api.as_user("bob").call("POST", "/workflows", json=document)
    assert (answer.status_code, "no email address" in answer.text) == (400, True)
    office.api.store.unavailable = "It does not answer."
    assert office.api.call("POST", "/workflows", json=document).status_code == 503
    assert (office.api.services.queue.find(Selection()), office.api.sandboxes.files) == ([], {})


@given(st.sets(st.integers(1, 50)), st.integers(1, 60))
def test_a_run_is_told_by_the_letter_that_was_written_last_before_it(runs: set[int], number: int) -> None:
    letters = [Letter(address="a@example.org", made_at="2026-01-01T00:00:00Z", after=after) for after in {0, *runs}]  # type: ignore[arg-type]
    known = {key_of("uid/1.0", letter): letter for letter in letters}
    key = about(number, known)
    assert key is not None
    assert uid_of(key) == "uid/1.0"
    assert known[key].after == max(after for after in (0, *runs) if after < number)
