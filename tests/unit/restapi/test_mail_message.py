"""What the message says, and that nothing in it can be more than text."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default
from typing import Any

import pytest
from builders import NOON
from builders_mail import ALICES, SENDER, URL
from builders_restapi import SUBMITTED, a_report, an_ad
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads
from prominence.core.reasons import Reason
from prominence.core.report import ExecutionReport, Outcome, TaskReport
from prominence.core.states import JobStatus
from prominence.core.view import view
from prominence.restapi.mail.message import message

HEAD = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"]
HOSTILE = [
    "fit\r\nBcc: eve@example.org\r\n\r\nHello",
    "=?utf-8?q?=0D=0ABcc=3A_eve?=",
    "a" * 10_000,
    "\u202egnp.exe",
    "\x1b[2J",
]
_ENDED = {classads.EXIT_CODE: 0, classads.FINISHED_AT: SUBMITTED + 300, classads.STARTED_AT: SUBMITTED + 60}


def sent(told: ExecutionReport | None = None, **changes: Any) -> EmailMessage:
    """As it arrives."""
    ad = {**an_ad(JobStatus.COMPLETED, **_ENDED), **changes}
    made = message(ad, view(ad, told, None), SENDER, ALICES, URL, NOON)
    arrived = message_from_bytes(bytes(made), policy=default)
    assert isinstance(arrived, EmailMessage)
    return arrived


def text(letter: EmailMessage) -> str:
    return str(letter.get_content()).replace("\r\n", "\n")


def test_it_says_how_the_job_ended_what_it_took_and_where_to_see_more() -> None:
    task = TaskReport(image="a", runtime="apptainer", exit_code=3, wall_s=200.0, cpu_s=90.5, max_rss_kib=2_000_000)
    told = a_report(Outcome.TASK_FAILED, reason=Reason.TASK_FAILED, details={"task": 0, "exit_code": 3}, tasks=(task,))
    where = {classads.LAST_REMOTE_HOST: "slot1_1@w-1f-1", classads.LAST_CLOUD: "local"}
    letter = sent(told, **where, **{classads.EXIT_CODE: 3, classads.JOB_NAME: "fit"})
    assert [letter[name] for name in HEAD] == [
        "prominence <prominence@example.org>",
        "alice@example.org",
        "Job 1 (fit): failed",
        NOON.strftime("%a, %d %b %Y 12:00:00 +0000"),
        f"<{an_ad()[classads.JOB_UID]}.finished@example.org>",
        "auto-generated",
    ]
    assert text(letter) == (
        "Job 1 has ended.\n"
        "\n"
        "Name:       fit\n"
        "Status:     failed\n"
        f"Reason:     {view({**an_ad(JobStatus.COMPLETED), **_ENDED, 'ExitCode': 3}, told, None).sentence}\n"
        "Exit code:  3\n"
        f"Submitted:  {NOON:%Y-%m-%d} 12:00:00 UTC\n"
        f"Started:    {NOON:%Y-%m-%d} 12:01:00 UTC\n"
        f"Ended:      {NOON:%Y-%m-%d} 12:05:00 UTC\n"
        "Wall time:  3 min\n"
        "CPU time:   90.5 s\n"
        "Memory:     1954 MiB at most\n"
        "Ran on:     w-1f-1 (local)\n"
        "\n"
        "All that is known of it:  prominence describe 1\n"
        "What it has printed:      prominence stdout 1\n"
        "\n"
        f"You get this message from {URL}, because the job asked for it.\n"
    )


def test_what_is_not_known_is_left_out() -> None:
    letter = sent(**{classads.STARTED_AT: 0})
    assert letter["Subject"] == "Job 1: completed"
    assert not {"Name", "Reason", "Started", "Wall time", "Memory", "Ran on"} & _words(letter)


def test_moments_that_a_worker_made_up_keep_no_message_back() -> None:
    letter = sent(**{classads.STARTED_AT: 10**15, classads.FINISHED_AT: 10**18, "QDate": -1})
    assert not {"Submitted", "Started"} & _words(letter)


def _words(letter: EmailMessage) -> set[str]:
    return {line.partition(":")[0] for line in text(letter).splitlines()}


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_name_is_part_of_the_subject_and_of_one_line(name: str) -> None:
    _check(sent(**{classads.JOB_NAME: name}))


encoded = st.builds(lambda way, text: f"=?utf-8?{way}?{text}?=", st.sampled_from("qb"), st.text())
texts = st.text() | st.lists(encoded | st.text(max_size=3), max_size=4).map("".join)


@given(texts, texts, texts, texts)
def test_whatever_is_written_the_head_is_ours_and_every_fact_one_line(
    name: str, reason: str, worker: str, site: str
) -> None:
    told = a_report(Outcome.SYSTEM_FAILED, reason=Reason.EXECUTOR_FAILED, details={"detail": reason})
    where = {classads.LAST_REMOTE_HOST: worker, classads.LAST_CLOUD: site}
    _check(sent(told, **where, **{classads.JOB_NAME: name, classads.EXIT_CODE: 1}))


@given(
    st.lists(st.tuples(st.floats() | st.none(), st.floats() | st.none(), st.integers() | st.none()), max_size=4),
)
def test_whatever_a_worker_reports_there_is_a_message(
    figures: list[tuple[float | None, float | None, int | None]],
) -> None:
    tasks = [TaskReport(image="a", wall_s=wall, cpu_s=cpu, max_rss_kib=rss) for wall, cpu, rss in figures]
    _check(sent(a_report(tasks=tuple(tasks))))


def test_an_impossible_figure_is_left_out() -> None:
    task = TaskReport(image="a", wall_s=1.7e308, cpu_s=-1.0, max_rss_kib=10**400)
    assert not {"Wall time", "CPU time", "Memory"} & _words(sent(a_report(tasks=(task, task))))


def _check(letter: EmailMessage) -> None:
    assert letter.keys() == [*HEAD, "Content-Type", "Content-Transfer-Encoding", "MIME-Version"]
    assert letter["To"] == ALICES
    assert len(letter["Subject"]) < 150
    assert letter["Subject"].isprintable()
    known = {"Job 1 has ended.", ""}
    words = ("Name", "Status", "Reason", "Exit code", "Submitted", "Started", "Ended")
    more = ("Wall time", "CPU time", "Memory", "Ran on", "All that is known of it", "What it has printed")
    for line in text(letter).splitlines():
        assert line in known or line.startswith((*(f"{word}:" for word in words + more), "You get this message")), line
    assert all(len(line) < 998 for line in letter.as_bytes(policy=SMTP).splitlines())
