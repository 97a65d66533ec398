"""What every Archive promises: in memory, and in a file of SQLite."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Protocol

import classad2
import pytest
from builders import a_job
from builders_restapi import SUBMITTED, a_report, an_ad

from prominence.core import classads, document, report
from prominence.core.errors import Unavailable
from prominence.core.job import JobSpec
from prominence.core.report import ExecutionReport, Outcome
from prominence.core.states import JobStatus, Status
from prominence.restapi.adapters.archive import ArchiveWriter, SqliteArchive
from prominence.restapi.adapters.memory import MemoryArchive, MemoryQueue, MemorySandboxes
from prominence.restapi.archive.logfile import Position
from prominence.restapi.archive.records import labels
from prominence.restapi.files import SPEC_FILE
from prominence.restapi.finished import Attempt, Finished, finished
from prominence.restapi.paging import Key, Order, Page
from prominence.restapi.ports import Archive
from prominence.restapi.selection import Event, Selection, Span
from prominence.restapi.translate.ads import plain

ALL = Page(Order())
HOSTILE = [
    'eve" || true || "',
    "eve' OR 1=1 --",
    "eve\\",
    "%41 100%",
    "ünïcödé ☃",
    "a\nb",
    "?1 :name",
    "eve;DROP TABLE jobs",
]
_TEXTS = (classads.JOB_NAME, classads.IDENTITY, classads.GROUP)


class Kept(Protocol):
    """An archive, and how things come into it."""

    archive: Archive

    def job(self, ad: Any, spec: JobSpec | None, told: ExecutionReport | None) -> None:
        """A job has left the queue."""

    def attempt(self, job_id: int, *attempts: Attempt) -> None:
        """A job was tried."""


class InMemory:
    def __init__(self) -> None:
        self.queue, self.sandboxes = MemoryQueue(), MemorySandboxes()
        self.memory = MemoryArchive(self.queue, self.sandboxes)
        self.archive: Archive = self.memory

    def job(self, ad: Any, spec: JobSpec | None, told: ExecutionReport | None) -> None:
        files = {SPEC_FILE: spec.model_dump_json() if spec else None}
        files[report.FILE_NAME] = document.dumps(told) if told else None
        self.sandboxes.make(ad[classads.JOB_UID], {name: text for name, text in files.items() if text is not None})
        self.queue.left = [one for one in self.queue.left if one[classads.CLUSTER_ID] != ad[classads.CLUSTER_ID]]
        self.queue.left.append(ad)

    def attempt(self, job_id: int, *attempts: Attempt) -> None:
        self.memory.told[job_id] = attempts


class InSqlite:
    def __init__(self, directory: Path) -> None:
        self.file = directory / "jobs.db"
        self.writer = ArchiveWriter(self.file)
        self.archive: Archive = SqliteArchive(self.file, directory / "history")

    def job(self, ad: Any, spec: JobSpec | None, told: ExecutionReport | None) -> None:
        self.writer.book_jobs([finished(plain(ad), labels(ad), spec, told)], "history", Position())

    def attempt(self, job_id: int, *attempts: Attempt) -> None:
        self.writer.book_attempts({job_id: attempts}, "events", Position())


@pytest.fixture(params=["memory", "sqlite"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    return InMemory() if request.param == "memory" else InSqlite(tmp_path)


def left(job_id: int, told: dict[str, str] | None = None, **changes: Any) -> Any:
    """The ad of a job that has completed, as HTCondor would write it; `told` are its labels."""
    ad = {
        **an_ad(JobStatus.COMPLETED, ClusterId=job_id, ExitCode=0, CompletionDate=SUBMITTED + 100 + job_id),
        classads.JOB_TYPE: "job",
        classads.JOB_UID: f"00000000-0000-4000-8000-{job_id:012d}",
        classads.JOB_NAME: "",
        **changes,
        **{classads.label(key): value for key, value in (told or {}).items()},
    }
    return classad2.ClassAd({key: classads.portable(str(ad[key])) if key in _TEXTS else ad[key] for key in ad})


def ids(jobs: list[Finished]) -> list[int]:
    return [job.job_id for job in jobs]


class TestArchive:
    def test_a_job_is_kept_with_all_that_is_known_of_it(self, kept: Kept) -> None:
        spec, told = a_job(name="fit", labels={"App": "x"}), a_report()
        kept.job(left(7, {"App": "x"}, ProminenceName="fit", ProminenceGroup="physics"), spec, told)
        [job] = kept.archive.find(Selection(ids=(7,)), None, ALL, detail=True)
        assert (job.ad[classads.JOB_NAME], job.ad[classads.GROUP], job.status) == ("fit", "physics", Status.COMPLETED)
        assert (job.spec, job.report) == (spec, told)

    def test_a_list_is_told_no_more_than_it_needs(self, kept: Kept) -> None:
        kept.job(left(7, ExitCode=1), a_job(), a_report(Outcome.OUT_OF_TIME))
        [job] = kept.archive.find(Selection(ids=(7,)), None, ALL)
        assert (job.spec, job.report, job.status) == (None, None, Status.KILLED)

    def test_a_job_without_files_is_kept_all_the_same(self, kept: Kept) -> None:
        kept.job(left(7), None, None)
        [job] = kept.archive.find(Selection(ids=(7,)), None, ALL, detail=True)
        assert (job.spec, job.report, job.status) == (None, None, Status.COMPLETED)

    def test_a_job_that_is_told_twice_is_kept_once(self, kept: Kept) -> None:
        kept.job(left(7, {"a": "1"}), None, None)
        kept.job(left(7, {"b": "2"}, ProminenceName="again"), None, None)
        [job] = kept.archive.find(Selection(), None, ALL)
        assert job.ad[classads.JOB_NAME] == "again"
        assert kept.archive.find(Selection(labels=(("a", "1"),)), None, ALL) == []

    def test_jobs_are_found_by_all_that_can_be_asked_for(self, kept: Kept) -> None:
        kept.job(left(1, {"app": "fit", "run": "1"}, ProminenceName="a"), None, None)
        kept.job(left(2, {"app": "fit"}, ProminenceIdentity="bob", ProminenceGroup="art"), None, None)
        kept.job(left(3, DAGManJobId=9, ExitCode=3, JobCurrentStartDate=SUBMITTED + 50), None, None)

        def found(selection: Selection, *shown: Status) -> list[int]:
            return ids(kept.archive.find(selection, shown or None, ALL))

        assert found(Selection()) == [1, 2, 3]
        assert found(Selection(user="alice")) == [1, 3]
        assert found(Selection(groups=("music", "art"))) == [2]
        assert found(Selection(groups=())) == found(Selection(ids=())) == []
        assert found(Selection(ids=(3, 1, 99))) == [1, 3]
        assert found(Selection(uid="00000000-0000-4000-8000-000000000002")) == [2]
        assert found(Selection(name="a")) == [1]
        assert found(Selection(name="")) == [2, 3]
        assert found(Selection(labels=(("APP", "fit"),))) == [1, 2]
        assert found(Selection(labels=(("app", "fit"), ("run", "1")))) == [1]
        assert found(Selection(labels=(("app", "Fit"),))) == []
        assert found(Selection(workflow=9)) == [3]
        assert found(Selection(), Status.FAILED, Status.KILLED) == [3]
        assert found(Selection(statuses=(JobStatus.IDLE,)), Status.COMPLETED) == [1, 2]
        assert found(Selection(spans=(Span(Event.ENDED, SUBMITTED + 102, SUBMITTED + 103),))) == [2]
        assert found(Selection(spans=(Span(Event.STARTED, SUBMITTED),))) == [3]
        assert found(Selection(spans=(Span(Event.CREATED, None, SUBMITTED),))) == []

    @pytest.mark.parametrize("name", HOSTILE)
    def test_a_hostile_name_is_a_name_and_nothing_else(self, name: str, kept: Kept) -> None:
        kept.job(left(1, ProminenceIdentity=name, ProminenceName=name, ProminenceGroup=name), None, None)
        kept.job(left(2), None, None)
        for selection in (Selection(user=name), Selection(name=name), Selection(groups=(name,))):
            assert ids(kept.archive.find(selection, None, ALL)) == [1]
        assert kept.archive.find(Selection(user="alice", labels=(("app", name),)), None, ALL) == []

    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("key", list(Key))
    def test_jobs_come_in_pages_and_in_order(self, key: Key, descending: bool, kept: Kept) -> None:
        for number in range(1, 8):
            kept.job(
                left(number, ProminenceName=f"n{number % 3}", QDate=number % 2, CompletionDate=9 - number), None, None
            )
        order = Order(key, descending)
        whole = kept.archive.find(Selection(), None, Page(order))
        assert [order.place(job.ad) for job in whole] == sorted(
            (order.place(job.ad) for job in whole), reverse=descending
        )
        seen, page = ids(kept.archive.find(Selection(), None, Page(order, 3))), Page(order, 3)
        assert len(seen) == 3
        while some := kept.archive.find(
            Selection(), None, page := Page(order, 3, order.place(whole[len(seen) - 1].ad))
        ):
            seen += ids(some)
        assert page.after == order.place(whole[-1].ad)
        assert seen == ids(whole)

    def test_attempts_are_those_told_last(self, kept: Kept) -> None:
        first, second = Attempt(1, "w-1", 1, 2, "lost", "gone"), Attempt(2, "w-2", 3)
        kept.attempt(7, first)
        kept.attempt(7, first, second)
        assert kept.archive.attempts(7) == (first, second)
        assert kept.archive.attempts(8) == ()


class TestTheFile:
    def test_of_another_layout_is_made_anew(self, tmp_path: Path) -> None:
        with sqlite3.connect(tmp_path / "jobs.db") as old:
            old.executescript("CREATE TABLE jobs (x); CREATE TABLE other (y); PRAGMA user_version = 99;")
        old.close()
        kept = InSqlite(tmp_path)
        kept.job(left(1), None, None)
        assert ids(kept.archive.find(Selection(), None, ALL)) == [1]

    def test_survives_the_one_who_writes_it(self, tmp_path: Path) -> None:
        kept = InSqlite(tmp_path)
        kept.writer.book_jobs([], "history", Position(5, 7, "x"))
        kept.job(left(1), None, None)
        kept.writer.close()
        again = InSqlite(tmp_path)
        assert again.writer.position("history") == Position()
        assert ids(again.archive.find(Selection(), None, ALL)) == [1]

    def test_is_booked_together_with_how_far_the_log_was_read(self, tmp_path: Path) -> None:
        kept = InSqlite(tmp_path)
        kept.writer.book_jobs([], "history", Position(5, 7, "x"))
        broken = finished({classads.JOB_STATUS: 4}, {}, None, None)  # without an id
        with pytest.raises(KeyError):
            kept.writer.book_jobs([finished(plain(left(1)), {}, None, None), broken], "history", Position(5, 9, "y"))
        assert kept.writer.position("history") == Position(5, 7, "x")
        assert kept.archive.find(Selection(), None, ALL) == []

    def test_forgets_in_time_what_was_in_a_job_but_not_that_it_was_there(self, tmp_path: Path) -> None:
        kept = InSqlite(tmp_path)
        summary = classads.portable('[{},[{"image":"x","cmd":"secret"}]]')
        for job_id in (1, 2):
            kept.job(left(job_id, {"app": "fit"}, ProminenceSummary=summary), a_job(), a_report())
        assert [kept.writer.forget(SUBMITTED + 102) for _ in range(2)] == [1, 0]
        old, young = kept.archive.find(Selection(labels=(("app", "fit"),)), None, ALL, detail=True)
        assert (old.spec, old.report, classads.SUMMARY in old.ad, old.status) == (None, None, False, Status.COMPLETED)
        assert (young.spec, young.report, classads.SUMMARY in young.ad) == (a_job(), a_report(), True)

    def test_that_is_none_is_unavailable(self, tmp_path: Path) -> None:
        (tmp_path / "jobs.db").write_bytes(b"garbage" * 999)
        archive = SqliteArchive(tmp_path / "jobs.db", tmp_path / "history")
        for verb in (lambda: archive.find(Selection(), None, ALL), lambda: archive.attempts(1)):
            with pytest.raises(Unavailable) as caught:
                verb()
            assert caught.value.retry_after_s

    def test_that_is_not_there_is_unavailable(self, tmp_path: Path) -> None:
        with pytest.raises(Unavailable):
            SqliteArchive(tmp_path / "jobs.db", tmp_path / "history").find(Selection(), None, ALL)

    def test_that_is_behind_is_waited_for_a_moment_and_then_read_as_it_is(self, tmp_path: Path) -> None:
        kept = InSqlite(tmp_path)
        kept.job(left(1), None, None)
        (tmp_path / "history").write_text("something new")
        assert ids(kept.archive.find(Selection(), None, ALL)) == [1]
