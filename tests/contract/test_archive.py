"""What every Archive promises: in memory, and in a file of SQLite."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import classad2
import pytest
from builders import a_job, a_snapshot, a_worker
from builders_restapi import SUBMITTED, a_report, an_ad

from prominence.core import classads, document, report
from prominence.core.errors import Unavailable
from prominence.core.job import JobSpec
from prominence.core.jobid import JobId
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.logfile import Position
from prominence.core.published import SNAPSHOT_KEY, packed_snapshot
from prominence.core.reasons import Reason
from prominence.core.report import ExecutionReport, Outcome
from prominence.core.states import JobStatus, Status
from prominence.restapi.adapters.archive import ArchiveWriter, SqliteArchive
from prominence.restapi.adapters.memory import MemoryArchive, MemoryQueue
from prominence.restapi.adapters.memory_sandboxes import MemorySandboxes
from prominence.restapi.adapters.usage import UsageWriter
from prominence.restapi.archive.attempts import TAKEN
from prominence.restapi.archive.machines import MachineFollower
from prominence.restapi.archive.records import labels
from prominence.restapi.files import SPEC_FILE
from prominence.restapi.finished import Attempt, Finished, finished
from prominence.restapi.paging import Key, Order, Page
from prominence.restapi.ports import Archive
from prominence.restapi.selection import Event, Kind, Selection, Span
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
        same = (classads.CLUSTER_ID, classads.JOB_UID)
        self.queue.left = [one for one in self.queue.left if any(one[name] != ad[name] for name in same)]
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


def a_member(array: int, index: int, **changes: Any) -> Any:
    """The same of a member of an array of three."""
    uid = f"00000000-0000-4000-8000-{array:012d}/{index}"
    place = {classads.PROC_ID: index, classads.ARRAY_INDEX: index, classads.ARRAY_COUNT: 3}
    return left(array, **{classads.JOB_TYPE: "member", classads.JOB_UID: uid, **place, **changes})


def ids(jobs: list[Finished]) -> list[int]:
    return [job.job_id for job in jobs]


def a_workflow(workflow_id: int, told: dict[str, str] | None = None, **changes: Any) -> Any:
    """The same of a workflow of two jobs, of which one has failed."""
    counts = {classads.NODES: 2, classads.DAG_DONE: 1, classads.DAG_FAILED: 1, classads.DAG_QUEUED: 0}
    return left(workflow_id, told, **{classads.JOB_TYPE: "workflow", classads.EXIT_CODE: 1, **counts, **changes})


WORKFLOWS = Selection(kinds=(Kind.WORKFLOW,))
UID = "00000000-0000-4000-8000-000000000001"


class TestArchive:
    def test_workflows_are_kept_apart_from_jobs_and_found_as_jobs_are(self, kept: Kept) -> None:
        kept.job(left(1, DAGManJobId=3), a_job(), a_report())
        kept.job(a_workflow(2, {"a": "x"}, ProminenceName="first"), None, None)
        kept.job(a_workflow(3, ProminenceIdentity="bob", ExitCode=0, DAG_NodesFailed=0), None, None)
        find = kept.archive.find
        assert ids(find(Selection(), None, ALL)) == [1]
        assert ids(find(WORKFLOWS, None, ALL)) == [2, 3]
        for fields, wanted in (
            ({"user": "bob"}, [3]),
            ({"name": "first"}, [2]),
            ({"labels": (("a", "x"),)}, [2]),
            ({"ids": (1, 3)}, [3]),
            ({"uid": "00000000-0000-4000-8000-000000000002"}, [2]),
        ):
            assert ids(find(replace(WORKFLOWS, **fields), None, ALL)) == wanted, fields  # type: ignore[arg-type]
        assert ids(find(WORKFLOWS, [Status.FAILED], Page(Order(Key.ENDED, descending=True), 5))) == [2]
        [one] = find(replace(WORKFLOWS, ids=(2,)), None, ALL)
        assert one.ad[classads.DAG_FAILED] == 1
        assert (one.view.reason, find(Selection(ids=(2,)), None, ALL)) == (Reason.JOBS_FAILED, [])

    def test_jobs_that_have_left_are_found_by_their_uids(self, kept: Kept) -> None:
        for job in (1, 2, 3):
            kept.job(left(job), a_job(), a_report())
        uid = "00000000-0000-4000-8000-{:012d}".format
        found = kept.archive.left([uid(3), uid(1), uid(9), HOSTILE[0]])
        assert sorted(ids(found)) == [1, 3]
        assert [(one.spec, one.report) for one in found] == [(a_job(), a_report())] * 2
        assert kept.archive.left([]) == []

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

    def test_of_a_workflows_run_the_newest_job_of_each_instance_is_told(self, kept: Kept) -> None:
        def ends(job_id: int, workflow: int, instance: int, exit_code: int = 0) -> None:
            uid = f"{UID}/0.{instance}"
            kept.job(
                left(job_id, DAGManJobId=workflow, ProminenceJobUniqueIdentifier=uid, ExitCode=exit_code), None, None
            )

        ends(2, 1, 0)
        ends(4, 1, 1, exit_code=1)
        ends(6, 5, 1)
        kept.job(left(7, DAGManJobId=8), None, None)
        kept.job(left(9), None, None)
        told = sorted((one.workflow, one.uid, one.job_id, one.status) for one in kept.archive.last_jobs([5, 1]))
        assert told == [
            (1, f"{UID}/0.0", 2, Status.COMPLETED),
            (1, f"{UID}/0.1", 4, Status.FAILED),
            (5, f"{UID}/0.1", 6, Status.COMPLETED),
        ]
        assert kept.archive.last_jobs([]) == []

    def test_an_instance_that_was_submitted_again_in_one_run_is_told_as_it_ended_last(self, tmp_path: Path) -> None:
        kept = InSqlite(tmp_path)
        for job_id, exit_code in ((12, 0), (10, 1), (11, 1)):
            kept.job(left(job_id, DAGManJobId=1, ProminenceJobUniqueIdentifier=UID, ExitCode=exit_code), None, None)
        [one] = kept.archive.last_jobs([1])
        assert (one.job_id, one.status) == (12, Status.COMPLETED)

    def test_members_of_arrays_are_kept_beside_jobs_and_are_not_among_them(self, kept: Kept) -> None:
        kept.job(left(7), None, None)
        for index in range(3):
            kept.job(a_member(9, index, ExitCode=index % 2), None, None)
        assert ids(kept.archive.find(Selection(user="alice"), None, ALL)) == [7]
        assert kept.archive.find(Selection(ids=(9,)), None, ALL) == []
        of_array = kept.archive.find(Selection(array=9, user="alice"), None, ALL)
        assert [str(job.job_id) for job in of_array] == ["9.0", "9.1", "9.2"]
        [failed] = kept.archive.find(Selection(array=9), [Status.FAILED], ALL)
        assert str(failed.job_id) == "9.1"
        assert kept.archive.find(Selection(ids=(failed.job_id,)), None, ALL) == [failed]
        assert kept.archive.find(Selection(uid=str(failed.ad[classads.JOB_UID])), None, ALL) == [failed]
        page = Page(Order(Key.ID, descending=True), 9, Order().place(of_array[2].ad))
        assert [str(job.job_id) for job in kept.archive.find(Selection(array=9), None, page)] == ["9.1", "9.0"]

    def test_arrays_are_told_newest_first_with_how_their_members_ended(self, kept: Kept) -> None:
        kept.job(left(1), None, None)
        for array, user in ((4, "alice"), (5, "bob"), (6, "alice"), (7, "alice")):
            for index in range(3):
                kept.job(a_member(array, index, ExitCode=index % 2, ProminenceIdentity=user), None, None)
        alice = Selection(user="alice")
        found = kept.archive.arrays(alice, 2)
        assert {array: dict(one.statuses) for array, one in found.items()} == {
            array: {Status.COMPLETED: 2, Status.FAILED: 1} for array in (7, 6)
        }
        assert {array: one.ad[classads.ARRAY_COUNT] for array, one in found.items()} == {7: 3, 6: 3}
        assert sorted(kept.archive.arrays(alice, 9)) == [4, 6, 7]
        [one] = kept.archive.arrays(Selection(array=5), 1, [JobId.member(5, 0), JobId.member(4, 1)]).values()
        assert dict(one.statuses) == {Status.COMPLETED: 1, Status.FAILED: 1}
        assert kept.archive.arrays(Selection(array=1), 1) == {}

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
        for verb in (
            lambda: archive.find(Selection(), None, ALL),
            lambda: archive.left([]),
            lambda: archive.attempts(1),
        ):
            with pytest.raises(Unavailable) as caught:
                verb()
            assert caught.value.retry_after_s

    def test_that_is_not_there_is_unavailable(self, tmp_path: Path) -> None:
        with pytest.raises(Unavailable):
            SqliteArchive(tmp_path / "jobs.db", tmp_path / "history").find(Selection(), None, ALL)

    def test_that_is_behind_is_waited_for_a_moment_and_then_read_as_it_is(self, tmp_path: Path) -> None:
        kept = InSqlite(tmp_path)
        kept.job(left(1), None, None)
        assert kept.archive.is_current()
        (tmp_path / "history").write_text("something new")
        assert not kept.archive.is_current()
        assert ids(kept.archive.find(Selection(), None, ALL)) == [1]


def test_attempts_say_that_the_cloud_took_the_machine_whoever_was_faster(tmp_path: Path) -> None:
    """The job had left before imc saw why, so that the attempt is booked already."""
    kept = InSqlite(tmp_path)
    at = [Attempt(1, "w-1", 0, 100, "interrupted"), Attempt(2, "w-2", 200)]
    kept.attempt(7, *at)
    kept.attempt(8, Attempt(1, "w-10", 0, 100, "interrupted"))
    kept.attempt(9, Attempt(1, "w-1", 0, 10, "success"))
    store = MemoryKeyValue()
    snapshot = a_snapshot(workers=(a_worker(name="w-1", taken_at=datetime.fromtimestamp(110, UTC)),))
    store.put_if(SNAPSHOT_KEY, packed_snapshot(snapshot).value, None)
    usage = UsageWriter(tmp_path / "usage.db")
    follower = MachineFollower(store, usage, kept.writer, lambda: 0.0)
    follower.step()
    assert follower.taken() == {"w-1": 110}
    assert [one.reason for one in kept.archive.attempts(7)] == [TAKEN, ""]
    assert [one.reason for job in (8, 9) for one in kept.archive.attempts(job)] == ["", ""]
    usage.close()
