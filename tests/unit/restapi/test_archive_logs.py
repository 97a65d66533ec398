"""Following HTCondor's own files: what is new, whatever they are called by now, and what it says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from builders import a_job
from builders_restapi import a_report, uids
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads, document, report
from prominence.core.errors import Unavailable
from prominence.core.jobid import JobId
from prominence.core.states import Status
from prominence.restapi.adapters import sqlite
from prominence.restapi.adapters.archive import ArchiveWriter, SqliteArchive
from prominence.restapi.adapters.memory_sandboxes import MemorySandboxes
from prominence.restapi.adapters.usage import SqliteUsage, UsageWriter
from prominence.restapi.archive import records
from prominence.restapi.archive.follower import Follower
from prominence.restapi.files import SPEC_FILE
from prominence.restapi.finished import Finished
from prominence.restapi.members import uid_of
from prominence.restapi.paging import Page
from prominence.restapi.selection import Selection
from prominence.restapi.usage import Period

UID = next(uids())


def ad_of(job_id: int, uid: str = UID) -> dict[str, str]:
    """A job's, as HTCondor writes it."""
    return {
        "AccountingGroup": '"g.x"',
        "ClusterId": str(job_id),
        "JobStatus": "4",
        "ExitCode": "0",
        "QDate": "100",
        "CompletionDate": "200",
        "Requirements": 'regexp("^a\\\\.b$", TARGET.Name)',
        classads.JOB_TYPE: '"job"',
        classads.JOB_UID: f'"{uid}"',
        classads.IDENTITY: '"eve%22"',
        classads.JOB_NAME: '"a b"',
        classads.label("app"): '"fit"',
    }


def record(job_id: int, uid: str = UID, without: Collection[str] = (), **attributes: str) -> str:
    """As HTCondor writes one into its history."""
    ad = {**ad_of(job_id, uid), **attributes}
    banner = f'*** Offset = 0 ClusterId = {job_id} ProcId = 0 Owner = "x" CompletionDate = 200'
    return "".join(f"{name} = {value}\n" for name, value in ad.items() if name not in without) + banner + "\n"


class TestHistory:
    def test_a_record_is_an_ad_of_what_we_know(self) -> None:
        content = record(7).encode()
        assert records.whole_ads(content) == len(content)
        [ad] = records.ads(content)
        assert (ad["ClusterId"], ad["CompletionDate"], ad[classads.IDENTITY]) == (7, 200, "eve%22")
        assert "Requirements" not in ad
        assert records.labels(ad) == {"app": "fit"}

    @given(st.integers(1, 500))
    def test_a_record_that_is_being_written_is_none_yet(self, missing: int) -> None:
        first, second = record(7).encode(), record(8).encode()
        content = (first + second)[: -min(missing, len(second))]
        assert records.whole_ads(content) == len(first)
        assert records.whole_ads(content[len(first) :]) == 0

    def test_what_htcondor_cannot_read_is_no_ad(self) -> None:
        content = record(7, Owner="= 3").replace("ClusterId = 7\n", "ClusterId = = 7\n").encode() + record(8).encode()
        assert [ad["ClusterId"] for ad in records.ads(content)] == [8]

    @pytest.mark.parametrize("end", ["\u2028", "\x85", "\x0b", "\x0c", "\x1c", "\r"])
    def test_a_line_ends_where_htcondor_ends_it(self, end: str) -> None:
        """What a worker says of a job stands in its record as it is."""
        content = record(7, JobPrio="1", HoldReason=f'"no{end}*** room"', ProminenceNode="2").encode()
        [ad] = records.ads(content)
        assert (ad["HoldReason"], ad["ProminenceNode"]) == (f"no{end}*** room", 2)

    def test_half_a_record_takes_no_other_with_it(self) -> None:
        """A schedd that died while it wrote goes on behind what it had written."""
        content = record(7).encode()[:80] + record(8).encode()
        assert [ad["ClusterId"] for ad in records.ads(content)] == [8]


def event(kind: str, job_id: int = 7, at: str = "2026-05-01T12:00:00.250Z", **facts: Any) -> str:
    """As HTCondor writes one into its log."""
    return json.dumps({"MyType": kind, "Cluster": job_id, "EventTime": at, "Proc": 0, **facts}, indent=2) + "\n"


class TestEvents:
    def test_an_event_is_what_happened_to_which_job_and_when(self) -> None:
        [found] = records.events(event("ExecuteEvent", SlotName="slot1_2@w-1").encode())
        assert (found.kind, found.job_id, found.at) == ("ExecuteEvent", 7, 1777636800.25)
        assert found.facts["SlotName"] == "slot1_2@w-1"

    @pytest.mark.parametrize(
        "garbage",
        ["{\n", "{\n}\n", "x\n", '{\n  "MyType": \n}\n', event("E", at="noon"), event("E").replace("7", '"x"')],
    )
    def test_what_is_none_is_passed_over(self, garbage: str) -> None:
        content = (event("FirstEvent") + garbage + event("LastEvent")).encode()
        assert records.whole_events(content) == len(content)
        assert [found.kind for found in records.events(content)] == ["FirstEvent", "LastEvent"]

    @given(st.integers(1, 100))
    def test_an_event_that_is_being_written_is_none_yet(self, missing: int) -> None:
        first, second = event("FirstEvent").encode(), event("SecondEvent").encode()
        assert records.whole_events((first + second)[: -min(missing, len(second))]) == len(first)


class Followed:
    """HTCondor's files, the jobs' own, and the archive that is made of them."""

    def __init__(self, directory: Path) -> None:
        self.history, self.events, self.epochs = directory / "history", directory / "events", directory / "runs"
        self.sandboxes = MemorySandboxes()
        self.writer = ArchiveWriter(directory / "jobs.db")
        self.archive = SqliteArchive(directory / "jobs.db", self.history)
        self.usage_writer = UsageWriter(directory / "usage.db")
        self.usage = SqliteUsage(directory / "usage.db", self.history)

    def step(self) -> None:
        follower = Follower(self.history, self.events, self.epochs, self.sandboxes, self.writer, self.usage_writer)
        while follower.step():
            pass

    def jobs(self) -> list[Finished]:
        return self.archive.find(Selection(), None, Page(), detail=True)

    def write(self, log: Path, text: str) -> None:
        with open(log, "a") as file:
            file.write(text)


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path)


class TestFollower:
    def test_a_job_that_left_the_queue_is_kept_with_its_files(self, followed: Followed) -> None:
        files = {SPEC_FILE: a_job(name="fit").model_dump_json(), report.FILE_NAME: document.dumps(a_report())}
        followed.sandboxes.make(UID, files)
        followed.write(
            followed.history, record(7) + record(8, JobStatus="3", CompletionDate="0", EnteredCurrentStatus="300")
        )
        followed.step()
        first, second = followed.jobs()
        assert (first.spec, first.report) == (a_job(name="fit"), a_report())
        assert (first.ad[classads.IDENTITY], first.status, second.status) == ('eve"', Status.COMPLETED, Status.DELETED)

    def test_what_jobs_have_used_is_booked_once_whatever_is_told_twice(self, followed: Followed) -> None:
        used = {"RemoteWallClockTime": "10.0", "CumulativeSlotTime": "20.0", "RequestCpus": "2"}
        followed.write(followed.history, record(7, **used) + record(7, **used) + record(8) + record(9, **used))
        followed.step()
        users = followed.usage.by_user(Period(200, 201), "", None)
        assert {name: (one.jobs, one.core_ms) for name, one in users.items()} == {'eve"': (2, 40_000)}

    def test_an_archive_that_is_made_anew_leaves_what_was_used_as_it_was(self, followed: Followed) -> None:
        """HTCondor has forgotten job 7 by then."""
        followed.write(followed.history, record(7, RemoteWallClockTime="10.0"))
        followed.step()
        followed.history.unlink()
        followed.write(followed.history, record(8, RemoteWallClockTime="10.0"))
        for file in followed.history.parent.glob("jobs.db*"):
            file.unlink()
        followed.writer = ArchiveWriter(followed.history.with_name("jobs.db"))
        followed.step()
        assert [job.job_id for job in followed.jobs()] == [8]
        assert followed.usage.by_user(Period(0, 300), "", None)['eve"'].jobs == 2

    def test_ads_that_are_no_jobs_of_ours_are_left_alone(self, followed: Followed) -> None:
        followed.write(followed.history, record(7, ProminenceType="undefined") + record(8))
        followed.step()
        assert [job.job_id for job in followed.jobs()] == [8]

    def test_a_member_of_an_array_is_kept_by_its_number_and_without_what_all_members_share(
        self, followed: Followed
    ) -> None:
        uid = uid_of(UID, 3)
        followed.sandboxes.make(UID, {SPEC_FILE: a_job().model_dump_json()}, {str(place): {} for place in range(4)})
        followed.sandboxes.files[uid][report.FILE_NAME] = document.dumps(a_report()).encode()
        member = {"ProminenceType": '"member"', "ProminenceArrayIndex": "3", "ProminenceArrayCount": "4"}
        followed.write(followed.history, record(7, ProminenceJobUniqueIdentifier=f'"{uid}"', **member) + record(8))
        followed.step()
        [job] = followed.jobs()
        assert job.job_id == 8
        [one] = followed.archive.find(Selection(array=7), None, Page(), detail=True)
        assert (str(one.job_id), one.spec, one.report) == ("7.3", None, a_report())

    @given(
        missing=st.sets(st.sampled_from(sorted(ad_of(7))), max_size=4),
        odd=st.dictionaries(
            st.sampled_from(
                [*sorted(ad_of(7)), "ProminenceArrayIndex", "RemoteWallClockTime", "CumulativeSlotTime", "RequestCpus"]
            ),
            st.sampled_from(
                [
                    *('"member"', "undefined", "error", "-1", "1e9", '"x"', '""', "true", "{ 1 }", "[ a = 1 ]"),
                    *("nothing", "1.0E300", 'real("INF")', 'real("NaN")', '"%ED%A0%80"', '"%FF"', '"\u2028*** "'),
                ]
            ),
            max_size=4,
        ),
    )
    def test_whatever_a_record_says_the_next_is_booked(
        self, tmp_path_factory: pytest.TempPathFactory, missing: set[str], odd: dict[str, str]
    ) -> None:
        followed = Followed(tmp_path_factory.mktemp("followed"))
        followed.write(followed.history, record(7, without=missing, **odd) + record(8, RemoteWallClockTime="1.0"))
        followed.step()
        assert 8 in [job.job_id for job in followed.jobs()]
        assert followed.usage.by_user(Period(0, 10**12), "", None)['eve"'].jobs >= 1
        followed.writer.close()
        followed.usage_writer.close()

    @pytest.mark.parametrize("number", ["1.0E300", 'real("INF")', 'real("NaN")'])
    def test_numbers_that_nothing_can_hold_keep_nobody_from_being_booked_nor_forgotten(
        self, number: str, followed: Followed
    ) -> None:
        odd = dict.fromkeys(("QDate", "JobCurrentStartDate", "CompletionDate", "ChirpProminenceCpuMs"), number)
        followed.sandboxes.make(UID, {SPEC_FILE: a_job().model_dump_json()})
        followed.write(followed.history, record(7, EnteredCurrentStatus="200", **odd) + record(8))
        followed.step()
        assert [job.job_id for job in followed.jobs()] == [7, 8]
        assert followed.writer.forget(201) == 2

    def test_texts_that_nothing_can_hold_neither(self, followed: Followed) -> None:
        label = {classads.label("app"): '"%ED%A0%80"'}
        followed.write(followed.history, record(7, ProminenceName='"%ED%A0%80"', **label) + record(8))
        followed.step()
        assert [job.job_id for job in followed.jobs()] == [7, 8]

    def test_what_was_followed_before_is_not_repeated(self, followed: Followed) -> None:
        followed.write(followed.history, record(7))
        followed.step()
        followed.history.rename(followed.history.with_name("history.20260501"))
        followed.write(followed.history, record(8))
        followed.step()
        assert [job.job_id for job in followed.jobs()] == [7, 8]

    def test_an_archive_that_is_lost_is_made_anew(self, followed: Followed, tmp_path: Path) -> None:
        followed.write(followed.history, record(7))
        followed.history.rename(followed.history.with_name("history.20260501"))
        followed.write(followed.history, record(8))
        followed.step()
        followed.writer.close()
        (tmp_path / "jobs.db").unlink()
        again = Followed(tmp_path)
        again.step()
        assert [job.job_id for job in again.jobs()] == [7, 8]

    def test_attempts_of_members_are_kept_apart(self, followed: Followed) -> None:
        for process, worker in ((0, "w-1"), (1, "w-2"), (2, "w-3")):
            followed.write(followed.events, event("ExecuteEvent", SlotName=f"slot1_1@{worker}", Proc=process))
        followed.step()
        workers = [
            [attempt.worker for attempt in followed.archive.attempts(JobId.member(7, index))] for index in range(4)
        ]
        assert workers == [["w-1"], ["w-2"], ["w-3"], []]

    def test_a_log_of_what_is_no_event_is_followed_all_the_same(self, followed: Followed) -> None:
        followed.write(followed.events, event("ExecuteEvent", at="noon"))
        followed.step()
        followed.write(followed.events, event("ExecuteEvent", SlotName="slot1_1@w-1"))
        followed.step()
        assert [one.worker for one in followed.archive.attempts(7)] == ["w-1"]

    def test_what_a_backup_brought_back_repeats_no_attempt(self, followed: Followed, tmp_path: Path) -> None:
        started, ended = event("ExecuteEvent", SlotName="slot1_1@w-1"), event("JobTerminatedEvent", ReturnValue=0)
        followed.write(followed.events, started + ended)
        followed.write(followed.history, record(7))
        followed.step()
        before = followed.archive.attempts(7)
        followed.writer.close()
        followed.usage_writer.close()
        shutil.copytree(tmp_path, tmp_path / "restored")
        again = Followed(tmp_path / "restored")
        again.step()
        assert (again.archive.attempts(7), len(before)) == (before, 1)
        assert all(sqlite.FollowingFile(file, again.history).catch_up() for file in again.history.parent.glob("*.db"))

    def test_attempts_are_told_with_the_report_that_was_there_when_they_ended(self, followed: Followed) -> None:
        told = a_report(exit_code=3)
        followed.sandboxes.make(UID, {report.FILE_NAME: document.dumps(told)})
        information = event("JobAdInformationEvent", ProminenceJobUniqueIdentifier=UID)
        started = event("ExecuteEvent", SlotName="slot1_1@w-1", at="2026-05-01T12:00:00Z")
        ended = event("JobTerminatedEvent", ReturnValue=0, at="2026-05-01T12:00:05Z")
        followed.write(followed.events, started + information)
        followed.step()
        [running] = followed.archive.attempts(7)
        assert (running.worker, running.outcome) == ("w-1", "")
        followed.write(followed.events, ended + information)
        followed.step()
        [attempt] = followed.archive.attempts(7)
        assert attempt.shown() == {
            "number": 1,
            "worker": "w-1",
            "startTime": 1777636800,
            "endTime": 1777636805,
            "outcome": "success",
            "exitCode": 0,
        }


@pytest.mark.parametrize("name", ["jobs.db", "usage.db"])
def test_whether_all_of_the_history_is_booked_can_be_asked(
    followed: Followed, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "CATCH_UP_S", 0.1)
    book = sqlite.FollowingFile(tmp_path / name, followed.history)
    assert book.catch_up()
    followed.write(followed.history, record(7))
    assert not book.catch_up()
    followed.step()
    assert book.catch_up()
    with pytest.raises(Unavailable):
        sqlite.FollowingFile(tmp_path / "nothing", followed.history).catch_up()
