"""Archive in a file of SQLite: one process writes it, any number read.

All of it is made of HTCondor's files and the jobs' own. A file of another layout is thrown away and made anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from prominence.core import classads, document, logs
from prominence.core.logfile import Position
from prominence.core.report import ExecutionReport
from prominence.core.states import Status
from prominence.core.view import JobAd
from prominence.core.workflow_view import is_workflow
from prominence.restapi.adapters import sqlite
from prominence.restapi.archive.attempts import with_clouds_word
from prominence.restapi.archive.records import key_of_attempts
from prominence.restapi.finished import Attempt, Finished, LastJob, Left, read_report, read_spec
from prominence.restapi.paging import Key, Page
from prominence.restapi.selection import Event, Kind, Selection, Span

log = logs.get(__name__)

Document = TypeVar("Document")

LAYOUT = 2

_TABLES = f"""
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY, array INTEGER, user TEXT NOT NULL, grp TEXT NOT NULL, uid TEXT NOT NULL, name TEXT NOT NULL,
    workflow INTEGER, status TEXT NOT NULL, created INTEGER NOT NULL, started INTEGER, ended INTEGER NOT NULL,
    ad TEXT NOT NULL, outcome TEXT, spec TEXT, report TEXT
);
CREATE INDEX of_user ON jobs (user, id) WHERE array IS NULL;
CREATE INDEX ended_of_user ON jobs (user, ended, id) WHERE array IS NULL;
CREATE INDEX created_of_user ON jobs (user, created, id) WHERE array IS NULL;
CREATE INDEX named_of_user ON jobs (user, name, id) WHERE array IS NULL;
CREATE INDEX of_array ON jobs (array, status, id) WHERE array IS NOT NULL;
CREATE INDEX arrays_of_user ON jobs (user, array) WHERE array IS NOT NULL;
CREATE INDEX of_workflow ON jobs (workflow, id);
CREATE TABLE labels (
    name TEXT NOT NULL COLLATE NOCASE, value TEXT NOT NULL, job INTEGER NOT NULL, PRIMARY KEY (name, value, job)
) WITHOUT ROWID;
CREATE TABLE attempts (job INTEGER PRIMARY KEY, attempts TEXT NOT NULL);
{sqlite.POSITIONS}
"""

# Like those of jobs. What a file of this layout may not have yet: to make all of it anew would lose what HTCondor has
# forgotten.
_ADDED = """
CREATE INDEX IF NOT EXISTS of_uid ON jobs (uid);
CREATE TABLE IF NOT EXISTS workflows (
    id INTEGER PRIMARY KEY, array INTEGER, user TEXT NOT NULL, grp TEXT NOT NULL, uid TEXT NOT NULL, name TEXT NOT NULL,
    workflow INTEGER, status TEXT NOT NULL, created INTEGER NOT NULL, started INTEGER, ended INTEGER NOT NULL,
    ad TEXT NOT NULL, outcome TEXT, spec TEXT, report TEXT
);
CREATE INDEX IF NOT EXISTS workflows_of_user ON workflows (user, id);
CREATE INDEX IF NOT EXISTS workflows_of_uid ON workflows (uid);
CREATE INDEX IF NOT EXISTS instances_of_workflow ON jobs (workflow, uid, id, status) WHERE workflow IS NOT NULL;
"""

_TABLES_OF_JOBS = _JOBS, _WORKFLOWS = "jobs", "workflows"

_SUMMARY = f"$.{classads.SUMMARY}"

_COLUMN = {Key.ID: "id", Key.CREATED: "created", Key.ENDED: "ended", Key.NAME: "name"}
_MOMENT = {Event.CREATED: "created", Event.STARTED: "started", Event.ENDED: "ended"}


class SqliteArchive:
    """Archive, for those who read. history: HTCondor's file, to see whether all of it has been booked."""

    def __init__(self, file: Path, history: Path) -> None:
        self._kept = sqlite.FollowingFile(file, history)

    def find(
        self, selection: Selection, shown: Collection[Status] | None, page: Page, detail: bool = False
    ) -> list[Finished]:
        self._kept.catch_up()
        terms, values = _where(selection, shown)
        if page.after is not None:
            sign = "<" if page.order.descending else ">"
            terms.append(f"({_COLUMN[page.order.key]}, id) {sign} (?, ?)")
            values += page.after
        columns = "ad, outcome, spec, report" if detail else "ad, outcome, NULL, NULL"
        direction = "DESC" if page.order.descending else "ASC"
        table = _WORKFLOWS if selection.of_workflows else _JOBS
        text = f"SELECT {columns} FROM {table} WHERE {' AND '.join(terms)}"
        text += f" ORDER BY {_COLUMN[page.order.key]} {direction}, id {direction} LIMIT ?"
        with self._kept.reading() as connection:
            return [
                _finished(row) for row in connection.execute(text, (*values, -1 if page.limit is None else page.limit))
            ]

    def is_current(self) -> bool:
        return self._kept.catch_up()

    def left(self, uids: Collection[str]) -> list[Finished]:
        of_each = (f"SELECT ad, outcome, spec, report FROM {table} WHERE {_among('uid')}" for table in _TABLES_OF_JOBS)
        given = json.dumps(list(uids))
        with self._kept.reading() as connection:
            found = connection.execute(" UNION ALL ".join(of_each), (given,) * len(_TABLES_OF_JOBS))
            return [_finished(row) for row in found]

    def attempts(self, job_id: int) -> tuple[Attempt, ...]:
        with self._kept.reading() as connection:
            return _attempts(connection, key_of_attempts(job_id))

    def last_jobs(self, workflows: Collection[int]) -> list[LastJob]:
        self._kept.catch_up()
        # Of the columns that are not grouped by, SQLite gives those of the row that has the greatest.
        text = "SELECT workflow, uid, MAX(id), status FROM jobs"
        text += f" WHERE workflow IS NOT NULL AND {_among('workflow')} GROUP BY workflow, uid"
        with self._kept.reading() as connection:
            found = connection.execute(text, (json.dumps(list(workflows)),))
            return [LastJob(workflow, uid, job_id, Status(status)) for workflow, uid, job_id, status in found]

    def arrays(self, selection: Selection, most: int, without: Collection[int] = ()) -> dict[int, Left]:
        self._kept.catch_up()
        terms, values = _where(Selection(user=selection.user, array=selection.array, kinds=(Kind.MEMBER,)), None)
        newest = f"SELECT DISTINCT array FROM jobs WHERE {' AND '.join(terms)} ORDER BY array DESC LIMIT ?"
        # Of the columns that are not grouped by, SQLite gives those of the row that has the least.
        text = f"SELECT array, status, COUNT(*), MIN(id), ad FROM jobs WHERE array IN ({newest})"
        text += " AND id NOT IN (SELECT value FROM json_each(?)) GROUP BY array, status"
        found: dict[int, Left] = {}
        with self._kept.reading() as connection:
            for array, status, count, _, ad in connection.execute(text, (*values, most, json.dumps(list(without)))):
                known = found[array].statuses if array in found else {}
                found[array] = Left(json.loads(ad), {**known, Status(status): count})
        return found


class ArchiveWriter:
    """The one who writes. What it is told together is there together, or not at all."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite.to_write(file)
        [layout] = self._connection.execute("PRAGMA user_version").fetchone()
        if layout != LAYOUT:
            self._begin_anew()
        self._connection.executescript(_ADDED)

    def close(self) -> None:
        """Done."""
        self._connection.close()

    def position(self, log_name: str) -> Position:
        """How far this log has been followed."""
        return sqlite.position(self._connection, log_name)

    def attempts(self, job_id: int) -> tuple[Attempt, ...]:
        """Of a job, so far."""
        return _attempts(self._connection, job_id)

    def book_jobs(self, jobs: Sequence[Finished], log_name: str, position: Position) -> None:
        """These jobs, and that the log has been followed up to here. A job that is there already is replaced."""
        with sqlite.together(self._connection):
            for job in jobs:
                self._book(job)
            sqlite.move(self._connection, log_name, position)

    def book_attempts(self, attempts: Mapping[int, Sequence[Attempt]], log_name: str, position: Position) -> None:
        """The attempts of these jobs, in place of those before."""
        with sqlite.together(self._connection):
            rows = [(job, json.dumps([asdict(one) for one in found])) for job, found in attempts.items()]
            self._connection.executemany("INSERT OR REPLACE INTO attempts VALUES (?, ?)", rows)
            sqlite.move(self._connection, log_name, position)

    def book_taken(self, taken: Mapping[str, int]) -> None:
        """Since when clouds have been taking these workers away: attempts that ended for that say so."""
        with sqlite.together(self._connection):
            for worker in taken:
                text = "SELECT job, attempts FROM attempts WHERE instr(attempts, ?)"
                for job, kept in self._connection.execute(text, (json.dumps(worker),)).fetchall():
                    told = with_clouds_word([Attempt(**one) for one in json.loads(kept)], taken)
                    row = (json.dumps([asdict(one) for one in told]), job)
                    self._connection.execute("UPDATE attempts SET attempts = ? WHERE job = ?", row)

    def forget(self, ended_before: int) -> int:
        """Keep no description and no report of jobs that ended before this; of how many something was forgotten."""
        with sqlite.together(self._connection):
            done = [
                self._connection.execute(
                    f"UPDATE {table} SET spec = NULL, report = NULL, ad = json_remove(ad, ?)"
                    " WHERE ended < ? AND (spec IS NOT NULL OR report IS NOT NULL OR json_type(ad, ?) IS NOT NULL)",
                    (_SUMMARY, ended_before, _SUMMARY),
                )
                for table in _TABLES_OF_JOBS
            ]
        return sum(one.rowcount for one in done)

    def _book(self, job: Finished) -> None:
        seen = job.view
        row = {
            "id": int(job.job_id),
            "array": None if job.job_id.index is None else job.job_id.cluster,
            "user": _text(job.ad, classads.IDENTITY),
            "grp": _text(job.ad, classads.GROUP),
            "uid": _text(job.ad, classads.JOB_UID),
            "name": _text(job.ad, classads.JOB_NAME),
            "workflow": job.ad.get(classads.DAGMAN_ID),
            "status": seen.status.value,
            "created": seen.events.get("createTime", 0),
            "started": seen.events.get("startTime"),
            "ended": seen.events.get("endTime", 0),
            "ad": json.dumps(job.ad),
            "outcome": _report(job.outcome),
            "spec": None if job.spec is None else job.spec.model_dump_json(exclude_none=True),
            "report": _report(job.report),
        }
        marks = ", ".join(f":{name}" for name in row)
        table = _WORKFLOWS if is_workflow(job.ad) else _JOBS
        self._connection.execute(f"INSERT OR REPLACE INTO {table} ({', '.join(row)}) VALUES ({marks})", row)
        self._connection.execute("DELETE FROM labels WHERE job = ?", (job.job_id,))
        labels = [(name, value, job.job_id) for name, value in job.labels.items()]
        self._connection.executemany("INSERT OR REPLACE INTO labels VALUES (?, ?, ?)", labels)

    def _begin_anew(self) -> None:
        log.info("the archive is made anew", layout=LAYOUT)
        tables = self._connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        script = "".join(f"DROP TABLE {name};" for (name,) in tables)
        self._connection.executescript(f"BEGIN; {script} {_TABLES} PRAGMA user_version = {LAYOUT}; COMMIT;")


def _where(selection: Selection, shown: Collection[Status] | None) -> tuple[list[str], list[str | int]]:
    """Terms and the values that belong to their question marks."""
    terms: list[str] = ["true"]
    values: list[str | int] = []

    def add(term: str, *given: str | int) -> None:
        terms.append(term)
        values.extend(given)

    if selection.array is not None:
        add("array = ?", selection.array)
    elif selection.ids is None and selection.uid is None and len(selection.kinds) == 1 and not selection.of_workflows:
        add("array IS NULL" if Kind.JOB in selection.kinds else "array IS NOT NULL")
    if selection.user is not None:
        add("user = ?", selection.user)
    if selection.uid is not None:
        add("uid = ?", selection.uid)
    if selection.name is not None:
        add("name = ?", selection.name)
    if selection.workflow is not None:
        add("workflow = ?", selection.workflow)
    if selection.groups is not None:
        add(_among("grp"), json.dumps(selection.groups))
    if selection.ids is not None:
        add(_among("id"), json.dumps(selection.ids))
    if shown is not None:
        add(_among("status"), json.dumps([status.value for status in shown]))
    for name, value in selection.labels:
        add("id IN (SELECT job FROM labels WHERE name = ? AND value = ?)", name, value)
    for span in selection.spans:
        _add_span(span, add)
    return terms, values


def _add_span(span: Span, add: Callable[..., None]) -> None:
    if span.since is not None:
        add(f"{_MOMENT[span.event]} >= ?", span.since)
    if span.until is not None:
        add(f"{_MOMENT[span.event]} < ?", span.until)


def _among(column: str) -> str:
    """A list of any length is one value."""
    return f"{column} IN (SELECT value FROM json_each(?))"


def _finished(row: Sequence[Any]) -> Finished:
    ad, outcome, spec, report = row
    return Finished(
        ad=json.loads(ad),
        outcome=_read(read_report, outcome),
        spec=_read(read_spec, spec),
        report=_read(read_report, report),
    )


def _read(reader: Callable[[bytes | None], Document | None], text: str | None) -> Document | None:
    """What was written by another version of ours may be no such document any more."""
    try:
        return reader(None if text is None else text.encode())
    except ValueError as error:
        log.warning("a document of a finished job cannot be read", error=str(error))
        return None


def _attempts(connection: sqlite.Connection, job_id: int) -> tuple[Attempt, ...]:
    row = connection.execute("SELECT attempts FROM attempts WHERE job = ?", (job_id,)).fetchone()
    return tuple(Attempt(**one) for one in json.loads(row[0])) if row else ()


def _report(report: ExecutionReport | None) -> str | None:
    return None if report is None else document.dumps(report)


def _text(ad: JobAd, name: str) -> str:
    return str(ad.get(name, ""))
