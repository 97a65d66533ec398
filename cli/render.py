"""Documents to text for people: tables, descriptions, JSON. Pure; the time is an argument.

Names, commands and reasons come from others: no control character of theirs reaches the terminal.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import yaml
from rich.cells import cell_len, set_cell_size

from prominence.cli import view

LONGEST_COMMAND = 100
WIDEST_COLUMN = 40
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

_OF_A_WORKER = ("cpus", "memory")
_ALL_OF_A_WORKER = (*_OF_A_WORKER, "disk", "gpus")
_PARTS = ("free", "capacity")

_DESCRIBED = frozenset(
    {"id", "name", "status", "statusReason", "exitCode", "events", "resources", "labels", "tasks", "execution"}
)
_DESCRIBED_RESOURCES = (
    ("nodes", ""),
    ("cpus", ""),
    ("cpusRange", ""),
    ("cpusOptions", ""),
    ("memory", " GB"),
    ("memoryPerCpu", " GB"),
    ("disk", " GB"),
    ("gpus", ""),
    ("walltime", " min"),
)
_DESCRIBED_TASK = (("image", "Image"), ("cmd", "Command"), ("runtime", "Runtime"), ("workdir", "Directory"))
_DESCRIBED_RUN = (
    ("exitCode", "Exit code", ""),
    ("imagePullTime", "Image pull", " s"),
    ("wallTimeUsage", "Wall time", " s"),
    ("cpuTimeUsage", "CPU time", " s"),
    ("maxResidentSetSizeKB", "Peak memory", " KB"),
)


def clean(text: str) -> str:
    """The text with everything a terminal might obey written out, as in a\\x1b[2J."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def as_json(document: Any) -> str:
    """The document as JSON that is readable and safe to show: unprintable characters are escaped as JSON does."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return "".join(c if c == "\n" or c.isprintable() else json.dumps(c)[1:-1] for c in text)


def document(content: Any, form: str) -> str:
    """The API's own document, as "json" or "yaml"."""
    if form == "json":
        return as_json(content)
    text: str = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, default_flow_style=False)
    return text.rstrip("\n")


def by_id(jobs: Iterable[view.Job]) -> list[view.Job]:
    """The jobs in the order of their ids."""
    return sorted(jobs, key=_id)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], width: int | None = None) -> str:
    """Columns beneath their names. With the `width` of a terminal nothing is wider than that; else all is shown."""
    lines = [tuple(header), *(tuple(row) for row in rows)]
    if width is not None:
        lines = [(*(_cut(cell, WIDEST_COLUMN) for cell in line[:-1]), line[-1]) for line in lines]
    widths = [max(cell_len(cell) for cell in column) for column in zip(*lines, strict=True)]
    joined = ("   ".join(set_cell_size(*cell) for cell in zip(line, widths, strict=True)).rstrip() for line in lines)
    return "\n".join(line if width is None else _cut(line, width) for line in joined)


def workers(found: Iterable[Mapping[str, Any]], wide: bool) -> str:
    """A row for each worker: of how much of each thing so much is free."""
    of = _ALL_OF_A_WORKER if wide else _OF_A_WORKER
    header = ["SITE", *(f"{which}{name.upper()}" for name in of for which in ("FREE ", ""))]
    rows = (
        [clean(view.text(one, "site")), *(_plain(view.mapping(one, key).get(name)) for name in of for key in _PARTS)]
        for one in found
    )
    return table(header, rows)


def progress(job: view.Job) -> str:
    """How the job is, in one line: "deploying: Worker w-1 (small) is starting for it."."""
    why = view.reason(job)
    return clean(f"{view.status(job)}: {why}" if why else view.status(job))


def description(job: view.Job, now: float) -> str:
    """The job as people read it: one fact per line, tasks below."""
    lines = [_field(name, value) for name, value in _facts(job, now) if value]
    reported = view.reported_tasks(job)
    for number, task in enumerate(view.tasks(job)):
        run = reported[number] if number < len(reported) else {}
        lines += ["", f"Task {number}"]
        lines += [_field("  " + name, value) for name, value in _task_facts(task, run) if value]
    return "\n".join(lines)


def utc(moment: float | None) -> str:
    """An epoch as YYYY-MM-DD HH:MM:SS in UTC; "" when unknown."""
    try:
        return "" if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):  # not a moment that a calendar has
        return ""


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


def _wide_row(job: view.Job, now: float) -> tuple[str, ...]:
    number, name, created, status, length, *what = _row(job, now)
    code, labels = _plain(view.exit_code(job)), _pairs(view.mapping(job, "labels"))
    return (
        *(number, name, created, status, length, utc(view.moment(job, "endTime")), code),
        *(clean(view.text(job, "group")), labels, *what, clean(view.reason(job))),
    )


def _row(job: view.Job, now: float) -> tuple[str, ...]:
    task: Mapping[str, Any] = next(iter(view.tasks(job)), {})
    return (
        _plain(job.get("id")),
        clean(view.text(job, "name")),
        utc(view.moment(job, "createTime")),
        clean(view.status(job)),
        elapsed(job, now),
        clean(view.text(task, "image")),
        _cut(clean(view.text(task, "cmd")), LONGEST_COMMAND),
    )


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def _id(job: view.Job) -> int:
    value = job.get("id")
    return value if isinstance(value, int) else -1


def _facts(job: view.Job, now: float) -> Iterator[tuple[str, str]]:
    execution = view.mapping(job, "execution")
    yield "Job", _plain(job.get("id"))
    yield "Name", clean(view.text(job, "name"))
    yield "Status", progress(job)
    yield "Exit code", _plain(view.exit_code(job))
    yield "Created", utc(view.moment(job, "createTime"))
    yield "Started", utc(view.moment(job, "startTime"))
    yield "Ended", utc(view.moment(job, "endTime"))
    yield "Elapsed", elapsed(job, now)
    yield "Resources", _resources(view.mapping(job, "resources"))
    yield "Labels", _pairs(view.mapping(job, "labels"))
    yield "Site", clean(view.text(execution, "site"))
    for key, value in job.items():  # what a newer API tells, and we have no better words for
        if key not in _DESCRIBED and value not in ({}, [], None):
            yield clean(key), _plain(value)


def _task_facts(task: Mapping[str, Any], run: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, name in _DESCRIBED_TASK:
        yield name, _plain(task.get(key))
    yield "Environment", _pairs(view.mapping(task, "env"))
    for key, name, unit in _DESCRIBED_RUN:
        value = _plain(run.get(key))
        yield name, value + unit if value else ""


def _resources(resources: Mapping[str, Any]) -> str:
    known = ((key, _plain(resources.get(key)), unit) for key, unit in _DESCRIBED_RESOURCES)
    return ", ".join(f"{key} {value}{unit}" for key, value, unit in known if value)


def _pairs(pairs: Mapping[str, Any]) -> str:
    return " ".join(shlex.quote(f"{clean(key)}={_plain(value)}") for key, value in pairs.items())


def _field(name: str, value: str) -> str:
    return f"{name:<15} {value}"


def _plain(value: Any) -> str:
    """Any JSON value on one line, safe to show; "" for null."""
    if value is None:
        return ""
    return clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


USUAL = (JOB_COLUMNS, _row)
WIDE = (WIDE_COLUMNS, _wide_row)
"""The columns of a list of jobs, and what makes a row of them."""
