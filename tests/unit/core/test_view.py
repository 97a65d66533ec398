"""What users are told of a job: one line of these tables per line of the module's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders_restapi import SUBMITTED, a_report, an_ad, an_explanation
from hypothesis import given, settings
from hypothesis import strategies as st

from prominence.core import classads
from prominence.core.reasons import Reason
from prominence.core.report import ExecutionReport, Outcome, TaskReport, TransferReport
from prominence.core.scaling import Explanation
from prominence.core.states import ENDED, HELD_BY_OPERATOR, HELD_BY_USER, TOO_MANY_ATTEMPTS, HoldCode, JobStatus, Status
from prominence.core.view import JobAd, view

RAN = {
    classads.STARTED_AT: SUBMITTED + 60,
    classads.STARTS: 1,
    classads.LAST_REMOTE_HOST: "slot1_1@w-1",
}


def completed(exit_code: int = 0, **changes: Any) -> JobAd:
    """A job that ended by itself two minutes after its start."""
    ended = SUBMITTED + 180
    return an_ad(
        JobStatus.COMPLETED,
        **{
            **RAN,
            classads.FINISHED_AT: ended,
            classads.EXIT_CODE: exit_code,
            classads.EXIT_BY_SIGNAL: False,
            **changes,
        },
    )


def held(code: int, subcode: int = 0, said: str = "Something went wrong.", **changes: Any) -> JobAd:
    """A job that HTCondor holds."""
    return an_ad(
        JobStatus.HELD,
        **{
            **RAN,
            classads.HOLD_REASON_CODE: code,
            classads.HOLD_REASON_SUBCODE: subcode,
            classads.HOLD_REASON: said,
            **changes,
        },
    )


WAITING = [
    (None, Status.IDLE, Reason.QUEUED),
    (Reason.QUEUED, Status.IDLE, Reason.QUEUED),
    (Reason.MATCHING, Status.IDLE, Reason.MATCHING),
    (Reason.WORKER_REQUESTED, Status.DEPLOYING, Reason.WORKER_REQUESTED),
    (Reason.WORKER_BOOTING, Status.DEPLOYING, Reason.WORKER_BOOTING),
    (Reason.POOL_LIMIT, Status.WAITING, Reason.POOL_LIMIT),
    (Reason.NO_CAPACITY, Status.WAITING, Reason.NO_CAPACITY),
    (Reason.NO_FLAVOUR_FITS, Status.WAITING, Reason.NO_FLAVOUR_FITS),
]


@pytest.mark.parametrize(("why", "status", "reason"), WAITING)
def test_an_idle_job_waits_for_what_the_scaler_says(why: Reason | None, status: Status, reason: Reason) -> None:
    explanation: Explanation | None = an_explanation(why) if why else None
    seen = view(an_ad(JobStatus.IDLE), None, explanation)
    assert (seen.status, seen.reason) == (status, reason)
    assert seen.sentence


@pytest.mark.parametrize("status", [JobStatus.RUNNING, JobStatus.TRANSFERRING_OUTPUT])
def test_a_job_on_a_worker_runs_and_needs_no_reason(status: JobStatus) -> None:
    seen = view(an_ad(status, **RAN), None, None)
    assert (seen.status, seen.reason, seen.sentence) == (Status.RUNNING, None, None)


def test_a_suspended_job_runs_and_says_that_it_does_not_get_on() -> None:
    seen = view(an_ad(JobStatus.SUSPENDED, **RAN), None, None)
    assert (seen.status, seen.reason) == (Status.RUNNING, Reason.SUSPENDED)


OUTCOMES = [
    (Outcome.SUCCESS, None, 0, Status.COMPLETED, None, 0),
    (Outcome.TASK_FAILED, Reason.TASK_FAILED, 7, Status.FAILED, Reason.TASK_FAILED, 7),
    (Outcome.TASK_FAILED, Reason.COMMAND_NOT_FOUND, 127, Status.FAILED, Reason.COMMAND_NOT_FOUND, 127),
    (Outcome.TASK_FAILED, None, 7, Status.FAILED, Reason.TASK_FAILED, 7),
    (Outcome.SYSTEM_FAILED, Reason.IMAGE_PULL_FAILED, 250, Status.FAILED, Reason.IMAGE_PULL_FAILED, None),
    (Outcome.SYSTEM_FAILED, Reason.NO_RUNTIME, 250, Status.FAILED, Reason.NO_RUNTIME, None),
    (Outcome.SYSTEM_FAILED, None, 250, Status.FAILED, Reason.EXECUTOR_FAILED, None),
    (Outcome.REMOVED, Reason.INTERRUPTED, 253, Status.FAILED, Reason.INTERRUPTED, None),
    (Outcome.OUT_OF_TIME, Reason.WALLTIME_EXCEEDED, 251, Status.KILLED, Reason.WALLTIME_EXCEEDED, None),
    (Outcome.OUT_OF_MEMORY, Reason.MEMORY_EXCEEDED, 252, Status.KILLED, Reason.MEMORY_EXCEEDED, None),
    (Outcome.OUT_OF_DISK, Reason.DISK_EXCEEDED, 254, Status.KILLED, Reason.DISK_EXCEEDED, None),
    (Outcome.UNFINISHED, None, 1, Status.FAILED, Reason.EXECUTOR_FAILED, None),
]


@pytest.mark.parametrize(("outcome", "told", "exit_code", "status", "reason", "shown"), OUTCOMES)
def test_a_completed_job_is_what_its_report_says(
    outcome: Outcome, told: Reason | None, exit_code: int, status: Status, reason: Reason | None, shown: int | None
) -> None:
    seen = view(completed(exit_code), a_report(outcome, reason=told), None)
    assert (seen.status, seen.reason, seen.exit_code) == (status, reason, shown)


def test_every_outcome_has_a_line() -> None:
    assert {line[0] for line in OUTCOMES} == set(Outcome)


CONTRADICTED = [
    ("success, but not to HTCondor", completed(1), a_report(), Status.FAILED),
    ("success, but ended by a signal", completed(0, ExitBySignal=True, ExitSignal=9), a_report(), Status.FAILED),
    ("failure, but not to HTCondor", completed(0), a_report(Outcome.TASK_FAILED), Status.FAILED),
    ("no report, no failure", completed(0), None, Status.COMPLETED),
    ("no report, a failure", completed(3), None, Status.FAILED),
    ("no report, a signal", completed(0, ExitBySignal=True, ExitSignal=9), None, Status.FAILED),
]


@pytest.mark.parametrize(("case", "ad", "report", "status"), CONTRADICTED, ids=[line[0] for line in CONTRADICTED])
def test_a_report_is_not_believed_against_htcondor(
    case: str, ad: JobAd, report: ExecutionReport | None, status: Status
) -> None:
    seen = view(ad, report, None)
    assert seen.status is status
    assert (seen.exit_code == 0) == (status is Status.COMPLETED)


def test_the_signal_that_ended_the_executor_is_named() -> None:
    assert "signal 9" in (view(completed(0, ExitBySignal=True, ExitSignal=9), None, None).sentence or "")


WRONG = "Something went wrong."
MEMORY = "Job has gone over cgroup memory limit of 1024 megabytes."
DISK = "Disk usage exceeds the disk limit."

HOLDS = [
    (HoldCode.JOB_POLICY, TOO_MANY_ATTEMPTS, WRONG, Status.FAILED, Reason.TOO_MANY_ATTEMPTS, "6 times"),
    (HoldCode.JOB_POLICY, 0, WRONG, Status.FAILED, Reason.HELD, WRONG),
    (HoldCode.OUT_OF_RESOURCES, 0, MEMORY, Status.KILLED, Reason.MEMORY_EXCEEDED, "more than 1 GB of 1 GB"),
    (HoldCode.OUT_OF_RESOURCES, 0, DISK, Status.FAILED, Reason.HELD, DISK),
    (HoldCode.JOB_DURATION, 0, WRONG, Status.KILLED, Reason.WALLTIME_EXCEEDED, "60 min"),
    (HoldCode.EXECUTE_DURATION, 0, WRONG, Status.KILLED, Reason.WALLTIME_EXCEEDED, "60 min"),
    (HoldCode.BY_HAND, 0, WRONG, Status.WAITING, Reason.HELD_BY_USER, "on hold"),
    (HoldCode.BY_HAND, HELD_BY_USER, WRONG, Status.WAITING, Reason.HELD_BY_USER, "Release"),
    (HoldCode.BY_HAND, HELD_BY_OPERATOR, WRONG, Status.WAITING, Reason.HELD_BY_OPERATOR, "operator"),
    (13, 0, WRONG, Status.FAILED, Reason.HELD, WRONG),
    (12, 2, WRONG, Status.FAILED, Reason.HELD, WRONG),
    (12, 2, "", Status.FAILED, Reason.HELD, "does not say why"),
]


@pytest.mark.parametrize(("code", "subcode", "said", "status", "reason", "words"), HOLDS)
def test_a_held_job_says_why(code: int, subcode: int, said: str, status: Status, reason: Reason, words: str) -> None:
    seen = view(held(code, subcode, said, NumJobStarts=6), None, None)
    assert (seen.status, seen.reason) == (status, reason)
    assert words in (seen.sentence or "")
    assert ".." not in (seen.sentence or "")


def test_a_job_that_htcondor_held_for_its_memory_says_how_much_it_needed() -> None:
    seen = view(held(HoldCode.OUT_OF_RESOURCES, 0, MEMORY, MemoryUsage=1500), None, None)
    assert "more than its memory: 1.5 GB of 1" in (seen.sentence or "")


def test_of_an_older_executor_that_tells_only_the_limit_the_sentence_is_whole() -> None:
    told = a_report(Outcome.OUT_OF_MEMORY, reason=Reason.MEMORY_EXCEEDED, details={"limit": "1 GB"})
    assert "more than its memory: more than 1 GB of 1 GB." in (view(completed(252), told, None).sentence or "")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("deleted by the user (by user prominence)", Reason.DELETED_BY_USER),
        ("via condor_rm (by user root)", Reason.INTERRUPTED),
        ("", Reason.INTERRUPTED),
        ("deleted by an operator", Reason.DELETED_BY_OPERATOR),
    ],
)
def test_a_removed_job_says_who_removed_it(said: str, reason: Reason) -> None:
    seen = view(an_ad(JobStatus.REMOVED, RemoveReason=said), None, None)
    assert (seen.status, seen.reason) == (Status.DELETED, reason)


def test_a_job_that_waited_for_too_long_was_ended_by_a_limit() -> None:
    seen = view(an_ad(JobStatus.REMOVED, RemoveReason="the job waited longer than it may"), None, None)
    assert (seen.status, seen.reason) == (Status.KILLED, Reason.QUEUE_TIME_EXCEEDED)


def test_a_job_that_had_ended_is_no_other_when_it_is_taken_out_of_the_queue() -> None:
    seen = view(completed(0, JobStatus=int(JobStatus.REMOVED), RemoveReason="deleted by the user"), a_report(), None)
    assert (seen.status, seen.reason) == (Status.COMPLETED, None)


def test_every_state_of_htcondor_has_a_word() -> None:
    for status in (*JobStatus, 0, 99):
        assert view(an_ad(status), None, None).status in Status


EVENTS = [
    ("idle", an_ad(JobStatus.IDLE), {"createTime": 0}),
    ("idle again", an_ad(JobStatus.IDLE, **RAN), {"createTime": 0}),
    ("running", an_ad(JobStatus.RUNNING, **RAN), {"createTime": 0, "startTime": 60}),
    ("completed", completed(), {"createTime": 0, "startTime": 60, "endTime": 180}),
    ("removed", an_ad(JobStatus.REMOVED, EnteredCurrentStatus=SUBMITTED + 9), {"createTime": 0, "endTime": 9}),
    (
        "removed while running",
        an_ad(JobStatus.REMOVED, **{**RAN, "EnteredCurrentStatus": SUBMITTED + 99}),
        {"createTime": 0, "startTime": 60, "endTime": 99},
    ),
    ("on hold", held(HoldCode.BY_HAND, EnteredCurrentStatus=SUBMITTED + 99), {"createTime": 0, "startTime": 60}),
    ("held", held(12, EnteredCurrentStatus=SUBMITTED + 99), {"createTime": 0, "startTime": 60, "endTime": 99}),
]  # fmt: skip


@pytest.mark.parametrize(("case", "ad", "expected"), EVENTS, ids=[line[0] for line in EVENTS])
def test_events_are_those_that_have_happened(case: str, ad: JobAd, expected: dict[str, int]) -> None:
    assert view(ad, None, None).events == {name: SUBMITTED + seconds for name, seconds in expected.items()}


@pytest.mark.parametrize("said", [10**15, -1, 1e300, "x"])
def test_what_is_no_moment_is_none(said: Any) -> None:
    odd = dict.fromkeys(("QDate", "JobCurrentStartDate", "CompletionDate"), said)
    assert view({**completed(), **odd, "EnteredCurrentStatus": SUBMITTED}, None, None).events == {"endTime": SUBMITTED}


def test_the_execution_is_told_in_the_words_of_the_api() -> None:
    tasks = (
        TaskReport("a", "docker", 0, None, 1.23456, "sha256:abc", 2.0, 1.5, 2048),
        TaskReport("a", "docker", 139, 11, None, None, 4.0, 0.5, 1024),
    )
    told = a_report(
        Outcome.TASK_FAILED,
        tasks=tasks,
        cpu_model="a fast one",
        cpu_clock="3000.1",
        runtime_versions={"docker": "27"},
        stage_in=(TransferReport("data.tgz", "success", 1.5, 70), TransferReport("gone", "failedDownload", 0.5)),
        stage_out=(TransferReport("result.csv", "success", 0.25, 9),),
    )
    ad = completed(
        3,
        NumJobStarts=3,
        MachineAttrProminenceCloud0="docker",
        CpusProvisioned=1,
        MemoryProvisioned=1024,
        DiskProvisioned=10 * 1024 * 1024,
    )
    assert view(ad, told, None).execution == {
        "site": "docker",
        "worker": "w-1",
        "retries": 2,
        "provisionedResources": {"cpus": 1, "memory": 1.02, "disk": 10.0, "nodes": 1},
        "cpu": {"model": "a fast one", "clock": "3000.1"},
        "runtimeVersion": {"docker": "27"},
        "maxMemoryUsageKB": 2048,
        "stageInTime": 2.0,
        "stageInBytes": 70,
        "stageIn": [
            {"name": "data.tgz", "status": "success", "time": 1.5, "size": 70},
            {"name": "gone", "status": "failedDownload", "time": 0.5},
        ],
        "stageOutTime": 0.25,
        "stageOutBytes": 9,
        "stageOut": [{"name": "result.csv", "status": "success", "time": 0.25, "size": 9}],
        "tasks": [
            {
                "retries": 0,
                "exitCode": 0,
                "imagePullStatus": "completed",
                "imagePullTime": 1.235,
                "imageSha256": "abc",
                "wallTimeUsage": 2.0,
                "cpuTimeUsage": 1.5,
                "maxResidentSetSizeKB": 2048,
                "runtime": "docker",
            },
            {
                "retries": 0,
                "exitCode": 139,
                "signal": 11,
                "imagePullStatus": "cached",
                "wallTimeUsage": 4.0,
                "cpuTimeUsage": 0.5,
                "maxResidentSetSizeKB": 1024,
                "runtime": "docker",
            },
        ],
    }


def test_an_image_that_could_not_be_had_is_told_of_its_task() -> None:
    told = a_report(Outcome.SYSTEM_FAILED, reason=Reason.IMAGE_PULL_FAILED, tasks=(TaskReport("a"),))
    assert view(completed(250), told, None).execution["tasks"] == [{"retries": 0, "imagePullStatus": "failed"}]


def test_an_old_report_is_not_shown_of_a_job_that_runs_again() -> None:
    assert "tasks" not in view(an_ad(JobStatus.RUNNING, **RAN), a_report(), None).execution


LIVE = {
    "ChirpProminenceAt": SUBMITTED + 90,
    "ChirpProminenceCpuMs": 1500,
    "ChirpProminenceMilliCpus": 250,
    "ChirpProminenceMemoryKiB": 2048,
    "ChirpProminenceDiskKiB": 0,
}


def test_of_a_running_job_it_is_told_what_its_task_uses() -> None:
    told = {"time": SUBMITTED + 90, "cpuTimeUsage": 1.5, "cpus": 0.25, "memoryUsageKB": 2048, "diskUsageKB": 0}
    assert view(an_ad(JobStatus.RUNNING, **RAN, **LIVE), None, None).execution["live"] == told


@pytest.mark.parametrize(
    "ad",
    [
        an_ad(JobStatus.RUNNING, **RAN),
        an_ad(JobStatus.RUNNING, **{**RAN, **LIVE, "JobCurrentStartDate": SUBMITTED + 200}),
        an_ad(JobStatus.IDLE, **RAN, **LIVE),
        completed(0, **LIVE),
    ],
)
def test_what_an_earlier_start_used_is_not_told(ad: JobAd) -> None:
    assert "live" not in view(ad, None, None).execution


def test_nonsense_of_a_worker_is_left_out() -> None:
    ad = an_ad(JobStatus.RUNNING, **RAN, **{**LIVE, "ChirpProminenceMemoryKiB": -1, "ChirpProminenceCpuMs": "much"})
    assert set(view(ad, None, None).execution["live"]) == {"time", "cpus", "diskUsageKB"}


def test_a_worker_cannot_send_a_sentence_without_end() -> None:
    told = a_report(Outcome.SYSTEM_FAILED, reason=Reason.EXECUTOR_FAILED, details={"detail": "x" * 100_000})
    assert len(view(completed(250), told, None).sentence or "") == 1000


numbers = st.one_of(st.none(), st.floats(), st.integers())
reports = st.builds(
    ExecutionReport,
    outcome=st.sampled_from(Outcome),
    started_at=st.floats(),
    reason=st.one_of(st.none(), st.sampled_from(Reason)),
    details=st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3),
    tasks=st.lists(
        st.builds(
            TaskReport,
            image=st.text(max_size=9),
            pull_s=numbers,
            wall_s=numbers,
            cpu_s=numbers,
            max_rss_kib=st.one_of(st.none(), st.integers()),
            exit_code=st.one_of(st.none(), st.integers()),
        ),
        max_size=3,
    ).map(tuple),
)


@settings(max_examples=50)
@given(st.sampled_from(JobStatus), st.one_of(st.none(), reports), st.integers(-1, 300))
def test_whatever_a_report_says_the_view_is_good_json(
    status: JobStatus, report: ExecutionReport | None, exit_code: int
) -> None:
    seen = view(completed(exit_code, JobStatus=int(status)), report, None)
    json.dumps(seen.execution, allow_nan=False)
    assert (seen.reason is None) == (seen.sentence is None)
    assert ("endTime" in seen.events) == (seen.status in ENDED)
