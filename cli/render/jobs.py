"""Lists of jobs, and how a job is, in one line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from prominence.cli import view
from prominence.cli.render.table import cut
from prominence.cli.render.text import clean, pairs, plain, utc

LONGEST_COMMAND = 100
JOB_COLUMNS = ("ID", "NAME", "CREATED", "STATUS", "ELAPSED", "IMAGE", "CMD")
WIDE_COLUMNS = (
    "ID",
    "NAME",
    "CREATED",
    "STATUS",
    "ELAPSED",
    "ENDED",
    "EXIT",
    "GROUP",
    "LABELS",
    "IMAGE",
    "CMD",
    "REASON",
)


def by_id(jobs: Iterable[view.Job]) -> list[view.Job]:
    """The jobs in the order of their ids."""
    return sorted(jobs, key=_id)


def job_progress(job: view.Job) -> str:
    """How the job is, in one line: "deploying: Worker w-1 (small) is starting for it."."""
    why = view.reason(job)
    return clean(f"{view.status(job)}: {why}" if why else view.status(job))


def elapsed(job: view.Job, now: float) -> str:
    """How long the job has run, as D+HH:MM:SS; "" when it has not started."""
    start, end = view.moment(job, "startTime"), view.moment(job, "endTime")
    if start is None:
        return ""
    length = (now if end is None else end) - start
    if not math.isfinite(length):
        return ""
    minutes, seconds = divmod(max(0, int(length)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}+{hours:02}:{minutes:02}:{seconds:02}"


def _row(job: view.Job, now: float) -> tuple[str, ...]:
    task: Mapping[str, Any] = next(iter(view.tasks(job)), {})
    return (
        plain(job.get("id")),
        clean(view.text(job, "name")),
        utc(view.moment(job, "createTime")),
        clean(view.status(job)),
        elapsed(job, now),
        clean(view.text(task, "image")),
        cut(clean(view.text(task, "cmd")), LONGEST_COMMAND),
    )


def _wide_row(job: view.Job, now: float) -> tuple[str, ...]:
    number, name, created, status, length, *what = _row(job, now)
    code, labels = plain(view.exit_code(job)), pairs(view.mapping(job, "labels"))
    return (
        *(number, name, created, status, length, utc(view.moment(job, "endTime")), code),
        *(clean(view.text(job, "group")), labels, *what, clean(view.reason(job))),
    )


def _id(job: view.Job) -> tuple[int, ...]:
    """To order by: of a member of an array, 17.3, by both of its numbers."""
    words = str(job.get("id")).split(".")
    return tuple(int(word) if word.isdecimal() else -1 for word in words)


USUAL = (JOB_COLUMNS, _row)
WIDE = (WIDE_COLUMNS, _wide_row)
"""The columns of a list of jobs, and what makes a row of them."""
