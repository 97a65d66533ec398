"""Archive in a file of SQLite: one process writes it, any number read.

All of it is made of HTCondor's files and the jobs' own. A file of another layout is thrown away and made anew.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from prominence.core import classads, document, logs
from prominence.core.errors import Unavailable
from prominence.core.report import ExecutionReport
from prominence.core.states import Status
from prominence.core.view import JobAd
from prominence.restapi.archive.logfile import Position, is_current
from prominence.restapi.finished import Attempt, Finished, read_report, read_spec
from prominence.restapi.paging import Key, Page
from prominence.restapi.selection import Event, Selection, Span

log = logs.get(__name__)

Document = TypeVar("Document")

LAYOUT = 1
RETRY_AFTER_S = 5
CATCH_UP_S = 1.0
"""For so long a reader waits for the writer to book what has left the queue just now."""

_TABLES = """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, grp TEXT NOT NULL, uid TEXT NOT NULL, name TEXT NOT NULL,
    workflow INTEGER, status TEXT NOT NULL, created INTEGER NOT NULL, started INTEGER, ended INTEGER NOT NULL,
    ad TEXT NOT NULL, outcome TEXT, spec TEXT, report TEXT
);
CREATE INDEX of_user ON jobs (user, id);
CREATE INDEX ended_of_user ON jobs (user, ended, id);
CREATE INDEX created_of_user ON jobs (user, created, id);
CREATE INDEX named_of_user ON jobs (user, name, id);
CREATE INDEX of_workflow ON jobs (workflow, id);
CREATE TABLE labels (
    name TEXT NOT NULL COLLATE NOCASE, value TEXT NOT NULL, job INTEGER NOT NULL, PRIMARY KEY (name, value, job)
) WITHOUT ROWID;
CREATE TABLE attempts (job INTEGER PRIMARY KEY, attempts TEXT NOT NULL);
CREATE TABLE positions (log TEXT PRIMARY KEY, position TEXT NOT NULL);
"""

_SUMMARY = f"$.{classads.SUMMARY}"

_COLUMN = {Key.ID: "id", Key.CREATED: "created", Key.ENDED: "ended", Key.NAME: "name"}
_MOMENT = {Event.CREATED: "created", Event.STARTED: "started", Event.ENDED: "ended"}


class SqliteArchive:
    """Archive, for those who read. history: HTCondor's file, to see whether all of it has been booked."""

    def __init__(self, file: Path, history: Path) -> None:
        self._file, self._history = file, history

    def find(
        self, selection: Selection, shown: Collection[Status] | None, page: Page, detail: bool = False
    ) -> list[Finished]:
        self._catch_up()
        terms, values = _where(selection, shown, page)
        columns = "ad, outcome, spec, report" if detail else "ad, outcome, NULL, NULL"
        direction = "DESC" if page.order.descending else "ASC"
        text = f"SELECT {columns} FROM jobs WHERE {' AND '.join(terms)}"
        text += f" ORDER BY {_COLUMN[page.order.key]} {direction}, id {direction} LIMIT ?"
        with self._reading() as connection:
            return [
                _finished(row) for row in connection.execute(text, (*values, -1 if page.limit is None else page.limit))
            ]

    def attempts(self, job_id: int) -> tuple[Attempt, ...]:
        with self._reading() as connection:
            return _attempts(connection, job_id)

    def _catch_up(self) -> None:
        deadline = time.monotonic() + CATCH_UP_S
        while time.monotonic() < deadline:
            with self._reading() as connection:
                if is_current(self._history, _position(connection, self._history.name)):
                    return
            time.sleep(0.02)
        log.warning("the archive is behind HTCondor's history")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(f"{self._file.absolute().as_uri()}?mode=rw", uri=True, timeout=5)
            try:
                yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            log.error("the archive of finished jobs cannot be read", error=str(error))
            raise Unavailable("The archive of finished jobs does not answer at the moment.", RETRY_AFTER_S) from error


class ArchiveWriter:
    """The one who writes. What it is told together is there together, or not at all."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None, timeout=30)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        [layout] = self._connection.execute("PRAGMA user_version").fetchone()
        if layout != LAYOUT:
            self._begin_anew()

    def close(self) -> None:
        """Done."""
        self._connection.close()

    def position(self, log_name: str) -> Position:
        """How far this log has been followed."""
        return _position(self._connection, log_name)

    def attempts(self, job_id: int) -> tuple[Attempt, ...]:
        """Of a job, so far."""
        return _attempts(self._connection, job_id)

    def book_jobs(self, jobs: Sequence[Finished], log_name: str, position: Position) -> None:
        """These jobs, and that the log has been followed up to here. A job that is there already is replaced."""
        with self._together():
            for job in jobs:
                self._book(job)
            self._move(log_name, position)

    def book_attempts(self, attempts: Mapping[int, Sequence[Attempt]], log_name: str, position: Position) -> None:
        """The attempts of these jobs, in place of those before."""
        with self._together():
            rows = [(job, json.dumps([asdict(one) for one in found])) for job, found in attempts.items()]
            self._connection.executemany("INSERT OR REPLACE INTO attempts VALUES (?, ?)", rows)
            self._move(log_name, position)

    def forget(self, ended_before: int) -> int:
        """Keep no description and no report of jobs that ended before this; of how many something was forgotten."""
        with self._together():
            done = self._connection.execute(
                "UPDATE jobs SET spec = NULL, report = NULL, ad = json_remove(ad, ?)"
                " WHERE ended < ? AND (spec IS NOT NULL OR report IS NOT NULL OR json_type(ad, ?) IS NOT NULL)",
                (_SUMMARY, ended_before, _SUMMARY),
            )
        return done.rowcount

    def _book(self, job: Finished) -> None:
        seen = job.view
        row = {
            "id": job.job_id,
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
        self._connection.execute(f"INSERT OR REPLACE INTO jobs ({', '.join(row)}) VALUES ({marks})", row)
        self._connection.execute("DELETE FROM labels WHERE job = ?", (job.job_id,))
        labels = [(name, value, job.job_id) for name, value in job.labels.items()]
        self._connection.executemany("INSERT OR REPLACE INTO labels VALUES (?, ?, ?)", labels)

    def _move(self, log_name: str, position: Position) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO positions VALUES (?, ?)", (log_name, json.dumps(asdict(position)))
        )

    @contextmanager
    def _together(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _begin_anew(self) -> None:
        log.info("the archive is made anew", layout=LAYOUT)
        tables = self._connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        script = "".join(f"DROP TABLE {name};" for (name,) in tables)
        self._connection.executescript(f"BEGIN; {script} {_TABLES} PRAGMA user_version = {LAYOUT}; COMMIT;")


def _where(selection: Selection, shown: Collection[Status] | None, page: Page) -> tuple[list[str], list[str | int]]:
    """Terms and the values that belong to their question marks."""
    terms: list[str] = ["true"]
    values: list[str | int] = []

    def add(term: str, *given: str | int) -> None:
        terms.append(term)
        values.extend(given)

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
    if page.after is not None:
        sign = "<" if page.order.descending else ">"
        add(f"({_COLUMN[page.order.key]}, id) {sign} (?, ?)", *page.after)
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


def _attempts(connection: sqlite3.Connection, job_id: int) -> tuple[Attempt, ...]:
    row = connection.execute("SELECT attempts FROM attempts WHERE job = ?", (job_id,)).fetchone()
    return tuple(Attempt(**one) for one in json.loads(row[0])) if row else ()


def _position(connection: sqlite3.Connection, log_name: str) -> Position:
    row = connection.execute("SELECT position FROM positions WHERE log = ?", (log_name,)).fetchone()
    return Position(**json.loads(row[0])) if row else Position()


def _report(report: ExecutionReport | None) -> str | None:
    return None if report is None else document.dumps(report)


def _text(ad: JobAd, name: str) -> str:
    return str(ad.get(name, ""))
