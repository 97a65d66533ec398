"""Follow HTCondor's history and its log of events, and book what they tell: jobs that have left the queue, attempts.

Whatever is booked is booked together with how far the log has been read, so that a crash repeats nothing and loses
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from prominence.core import classads, logs
from prominence.core.report import ExecutionReport
from prominence.restapi.archive import attempts as told
from prominence.restapi.archive import records
from prominence.restapi.archive.logfile import Position, news
from prominence.restapi.files import files_of, report_of
from prominence.restapi.finished import Attempt, Finished, finished
from prominence.restapi.ports import Sandboxes
from prominence.restapi.translate.ads import plain
from prominence.restapi.translate.submit import JOB

log = logs.get(__name__)

INFORMATION = "JobAdInformationEvent"
"""Follows each event with the attributes that HTCondor was told to put there."""


class Book(Protocol):
    """Where it is written."""

    def position(self, log_name: str) -> Position:
        """How far this log has been followed."""

    def attempts(self, job_id: int) -> tuple[Attempt, ...]:
        """Of a job, so far."""

    def book_jobs(self, jobs: Sequence[Finished], log_name: str, position: Position) -> None:
        """These jobs, and that the log has been followed up to here."""

    def book_attempts(self, attempts: Mapping[int, Sequence[Attempt]], log_name: str, position: Position) -> None:
        """The attempts of these jobs, and that the log has been followed up to here."""


@dataclass(frozen=True)
class Follower:
    """history and events: HTCondor's files. sandboxes: where the jobs' descriptions and reports are."""

    history: Path
    events: Path
    sandboxes: Sandboxes
    book: Book

    def step(self) -> bool:
        """Book the next piece of each; whether there was any. Raises OSError."""
        # Events first: when a job is booked, so are its attempts.
        return self._follow_events() | self._follow_history()

    def _follow_history(self) -> bool:
        found = news(self.history, self.book.position(self.history.name), records.whole_ads)
        if not found.content:
            return False
        jobs = [self._finished(ad) for ad in records.ads(found.content) if _is_ours(ad)]
        self.book.book_jobs(jobs, self.history.name, found.position)
        log.info("jobs archived", jobs=len(jobs))
        return True

    def _follow_events(self) -> bool:
        found = news(self.events, self.book.position(self.events.name), records.whole_events)
        if not found.content:
            return False
        changed: dict[int, tuple[Attempt, ...]] = {}
        events = list(records.events(found.content))
        for event, behind in zip(events, [*events[1:], None], strict=True):
            if event.kind == INFORMATION:
                continue
            before = changed.get(event.job_id) or self.book.attempts(event.job_id)
            after = told.follow(before, event, self._report_of(event, behind))
            if after != before:
                changed[event.job_id] = after
        self.book.book_attempts(changed, self.events.name, found.position)
        return True

    def _report_of(self, event: records.Event, behind: records.Event | None) -> ExecutionReport | None:
        """Of the attempt that the event ends. Its uid is told behind it."""
        if not told.ends_by_itself(event) or behind is None or behind.kind != INFORMATION:
            return None
        uid = behind.facts.get(classads.JOB_UID)
        return report_of(str(uid), self.sandboxes) if uid else None

    def _finished(self, ad: Any) -> Finished:
        known = plain(ad)
        return finished(known, records.labels(ad), *files_of(str(known.get(classads.JOB_UID, "")), self.sandboxes))


def _is_ours(ad: Any) -> bool:
    known = plain(ad, (classads.JOB_TYPE, classads.CLUSTER_ID))
    return known.get(classads.JOB_TYPE) == JOB and isinstance(known.get(classads.CLUSTER_ID), int)
