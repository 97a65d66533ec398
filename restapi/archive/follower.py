"""Follow HTCondor's history and its log of events, and book what they tell: jobs that have left the queue, what they
have used, attempts.

Whatever is booked is booked together with how far the log has been read, so that a crash repeats nothing and loses
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from prominence.core import classads, logs
from prominence.core.jobid import LAST_INDEX
from prominence.core.logfile import News, Position, news
from prominence.core.report import ExecutionReport
from prominence.core.view import JobView, view
from prominence.restapi.archive import attempts as told
from prominence.restapi.archive import records
from prominence.restapi.booking import Run, run_of_epoch, run_of_job
from prominence.restapi.files import files_of, report_of
from prominence.restapi.finished import Attempt, Finished, finished
from prominence.restapi.ports import Sandboxes
from prominence.restapi.selection import ANY_KIND, Kind
from prominence.restapi.translate.ads import plain

log = logs.get(__name__)

_TOLD = (Kind.JOB, Kind.MEMBER, Kind.WORKFLOW)
"""Of what users ask: the other nodes of a job are part of it."""

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


class UsageBook(Protocol):
    """Where it is written what jobs have used."""

    def position(self, log_name: str) -> Position:
        """How far this log has been followed."""

    def book_usage(self, runs: Sequence[Run], log_name: str, position: Position) -> None:
        """These attempts, and that the log has been followed up to here."""


@dataclass(frozen=True)
class Follower:
    """history, events and epochs: HTCondor's files. sandboxes: where the jobs' descriptions and reports are.

    taken: since when clouds have been taking workers away, by worker, of those that imc still knows.
    """

    history: Path
    events: Path
    epochs: Path
    sandboxes: Sandboxes
    book: Book
    usage: UsageBook
    taken: Callable[[], Mapping[str, int]] = dict

    def step(self) -> bool:
        """Book the next piece of each; whether there was any. Raises OSError."""
        # Events first: when a job is booked, so are its attempts.
        return self._follow_events() | self._follow_history() | self._follow_epochs() | self._follow_usage()

    def _follow_history(self) -> bool:
        before = self.book.position(self.history.name)
        found = news(self.history, before, records.whole_ads)
        if not _is_to_be_noted(found, before):
            return False
        jobs = [self._finished(ad) for ad in records.ads(found.content) if _is_ours(ad)]
        self.book.book_jobs(jobs, self.history.name, found.position)
        log.info("jobs archived", jobs=len(jobs))
        return True

    def _follow_usage(self) -> bool:
        """By itself: what has been booked and what has been archived are kept, and lost, apart from each other."""
        return self._book_runs(self.history, lambda ad: run_of_job(ad, records.labels(ad), self._view(ad)))

    def _follow_epochs(self) -> bool:
        return self._book_runs(self.epochs, lambda ad: run_of_epoch(ad, records.labels(ad)))

    def _book_runs(self, log_file: Path, run_of: Callable[[Any], Run | None]) -> bool:
        before = self.usage.position(log_file.name)
        found = news(log_file, before, records.whole_ads)
        if not _is_to_be_noted(found, before):
            return False
        runs = [run for ad in records.ads(found.content) if _is_ours(ad, ANY_KIND) and (run := run_of(ad))]
        self.usage.book_usage(runs, log_file.name, found.position)
        return True

    def _follow_events(self) -> bool:
        here = self.book.position(self.events.name)
        found = news(self.events, here, records.whole_events)
        if not _is_to_be_noted(found, here):
            return False
        changed: dict[int, tuple[Attempt, ...]] = {}
        taken = self.taken()
        events = list(records.events(found.content))
        for event, behind in zip(events, [*events, None][1:], strict=True):
            if event.kind == INFORMATION:
                continue
            before = changed.get(event.job_id) or self.book.attempts(event.job_id)
            after = told.with_clouds_word(told.follow(before, event, self._report_of(event, behind)), taken)
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

    def _view(self, ad: Any) -> JobView:
        """What became of it; its description is not needed for that."""
        known = plain(ad)
        return view(known, report_of(str(known.get(classads.JOB_UID, "")), self.sandboxes), None)

    def _finished(self, ad: Any) -> Finished:
        known = plain(ad)
        return finished(known, records.labels(ad), *files_of(str(known.get(classads.JOB_UID, "")), self.sandboxes))


def _is_to_be_noted(found: News, before: Position) -> bool:
    """Records, or that the place is in another file by now."""
    return bool(found.content) or found.position.inode not in (0, before.inode)


def _is_ours(ad: Any, kinds: Collection[Kind] = _TOLD) -> bool:
    known = plain(ad, (classads.JOB_TYPE, classads.CLUSTER_ID, classads.ARRAY_INDEX))
    kind, index = known.get(classads.JOB_TYPE), known.get(classads.ARRAY_INDEX)
    is_one = type(index) is int and 0 <= index <= LAST_INDEX if kind == Kind.MEMBER else index is None
    return is_one and kind in kinds and isinstance(known.get(classads.CLUSTER_ID), int)
