"""The message that tells a user how a job, or a workflow, has ended; and any other. Pure.

What users wrote, and what a worker reported, is in it: no such text can add a line to its head, and characters that
would write over others are left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from prominence.core import classads, units
from prominence.core.view import JobAd, JobView
from prominence.core.workflow_view import is_workflow, progress
from prominence.restapi.mail.letters import Notice
from prominence.restapi.members import is_node

LONGEST_NAME = 100
_WIDTH = 12
_IMPOSSIBLE = 1e12


def message(ad: JobAd, job: JobView, sender: str, recipient: str, url: str, now: datetime) -> EmailMessage:
    """Of this job or workflow. url: the service's. It has the same Message-ID whenever it is made."""
    job_id, uid = ad[classads.CLUSTER_ID], ad[classads.JOB_UID]
    of_workflow = is_workflow(ad)
    called = f"{'Workflow' if of_workflow else 'Job'} {job_id}"
    # Python reads "=?utf-8?q?=0A?=" in a head as what it stands for, and writes that.
    name = plainly(str(ad.get(classads.JOB_NAME, ""))).replace("=?", "= ?")[:LONGEST_NAME].strip()
    # All runs of a workflow have one uid; that of a job of its own it has alone.
    run = f".{job_id}" if of_workflow or is_node(str(uid)) else ""
    message_id = f"<{uid}{run}.finished@{sender.rpartition('@')[2]}>"
    subject = f"{called}{f' ({name})' if name else ''}: {job.status.value}"
    letter = _letter(sender, recipient, subject, now, message_id)
    counts = progress(ad) if of_workflow else {}
    lines = [f"{word + ':':{_WIDTH}}{said}" for word, said in _facts(name, job, counts)]
    more = _more_of_workflow if of_workflow else _more
    text = "\n".join((f"{called} has ended.", "", *lines, "", *more(int(job_id), url)))
    letter.set_content(f"{text}\n", cte="quoted-printable")
    return letter


def of_notice(key: str, notice: Notice, sender: str) -> EmailMessage:
    """A notice, by its key: it has the same Message-ID whenever it is made."""
    domain = sender.rpartition("@")[2]
    number = hashlib.sha256(key.encode()).hexdigest()[:32]
    subject = plainly(notice.subject).replace("=?", "= ?")
    letter = _letter(sender, notice.address, subject, notice.made_at, f"<{number}.notice@{domain}>")
    letter.set_content(notice.text, cte="quoted-printable")
    return letter


def _letter(sender: str, recipient: str, subject: str, at: datetime, message_id: str) -> EmailMessage:
    letter = EmailMessage(SMTP)
    letter["From"] = Address("prominence", addr_spec=sender)
    letter["To"] = Address(addr_spec=recipient)
    letter["Subject"] = subject
    letter["Date"] = format_datetime(at)
    letter["Message-ID"] = message_id
    letter["Auto-Submitted"] = "auto-generated"  # so that nobody's holiday answers it
    return letter


def plainly(text: str) -> str:
    """In one line, of characters that are seen."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _facts(name: str, job: JobView, counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    if name:
        yield "Name", name
    yield "Status", job.status.value
    if counts:
        told = (
            f"{counts['done']} of {counts['total']} done",
            f"{counts['failed']} failed",
            f"{counts['waiting']} not run",
        )
        yield "Jobs", ", ".join(one for one in told if not one.startswith("0 ") or one == told[0])
    if job.sentence:
        yield "Reason", plainly(job.sentence)
    if job.exit_code is not None:
        yield "Exit code", str(job.exit_code)
    for word, event in (("Submitted", "createTime"), ("Started", "startTime"), ("Ended", "endTime")):
        if event in job.events:
            yield word, f"{datetime.fromtimestamp(job.events[event], UTC):%Y-%m-%d %H:%M:%S} UTC"
    yield from _figures(job.execution)
    where = _where(job.execution)
    if where:
        yield "Ran on", where


def _figures(execution: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """As its worker told; what can be no figure of a job is left out."""
    for word, key in (("Wall time", "wallTimeUsage"), ("CPU time", "cpuTimeUsage")):
        spent = [task[key] for task in execution.get("tasks", ()) if key in task]
        if spent and 0 <= sum(spent) < _IMPOSSIBLE:
            yield word, units.plainly(round(sum(spent), 1))
    memory_kib = execution.get("maxMemoryUsageKB", -1)
    if 0 <= memory_kib < _IMPOSSIBLE:
        yield "Memory", f"{units.mib_needed(memory_kib)} MiB at most"


def _where(execution: dict[str, Any]) -> str:
    worker, site = (plainly(str(execution.get(key, ""))) for key in ("worker", "site"))
    return f"{worker} ({site})" if worker and site else worker or site


def _more(job_id: int, url: str) -> tuple[str, ...]:
    return (
        f"All that is known of it:  prominence describe {job_id}",
        f"What it has printed:      prominence stdout {job_id}",
        "",
        f"You get this message from {url}, because the job asked for it.",
    )


def _more_of_workflow(workflow_id: int, url: str) -> tuple[str, ...]:
    return (
        f"How its jobs are:         prominence workflow graph {workflow_id}",
        f"What has failed, and why: prominence workflow failures {workflow_id}",
        f"What they have kept:      prominence download workflow {workflow_id}",
        "",
        f"You get this message from {url}, because the workflow asked for it.",
    )
