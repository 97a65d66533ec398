"""What the public API says of a job: its status word, why, since when, and what became of its tasks. Pure.

Made from HTCondor's ad of the job, the executor's report of its last attempt and the scaler's explanation of why it
waits. The report comes from a worker: it is believed about the user's own tasks, never against HTCondor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prominence.core import classads, units
from prominence.core.reasons import Reason, explain
from prominence.core.report import ExecutionReport, Outcome, TaskReport
from prominence.core.scaling import Explanation
from prominence.core.states import ENDED, TOO_MANY_ATTEMPTS, HoldCode, JobStatus, Status

JobAd = Mapping[str, str | int | float | bool]
"""A job's ClassAd: the attributes that it has and that we know, evaluated."""

ATTRIBUTES = (
    classads.CLUSTER_ID,
    classads.JOB_STATUS,
    classads.JOB_UID,
    classads.JOB_NAME,
    classads.IDENTITY,
    classads.GROUP,
    classads.ACCOUNTING_USER,
    classads.ACCOUNTING_GROUP,
    classads.REQUEST_CPUS,
    classads.REQUEST_MEMORY,
    classads.REQUEST_DISK,
    classads.WALLTIME,
    classads.SUBMITTED_AT,
    classads.STARTED_AT,
    classads.FINISHED_AT,
    classads.ENTERED_STATUS_AT,
    classads.EXIT_CODE,
    classads.EXIT_BY_SIGNAL,
    classads.EXIT_SIGNAL,
    classads.HOLD_REASON,
    classads.HOLD_REASON_CODE,
    classads.HOLD_REASON_SUBCODE,
    classads.REMOVE_REASON,
    classads.STARTS,
    classads.REMOTE_HOST,
    classads.LAST_REMOTE_HOST,
    classads.LAST_CLOUD,
    classads.CPUS_PROVISIONED,
    classads.MEMORY_PROVISIONED,
    classads.DISK_PROVISIONED,
)
"""What must be asked of HTCondor to show a job and to find its files and its explanation."""

DELETED_BY_USER = "deleted by the user"
"""What RemoveReason begins with when the API removed the job for its user."""

_LONGEST_SENTENCE = 1000

_OF_WAITING = {
    Reason.WORKER_REQUESTED: Status.DEPLOYING,
    Reason.WORKER_BOOTING: Status.DEPLOYING,
    Reason.POOL_LIMIT: Status.WAITING,
    Reason.NO_CAPACITY: Status.WAITING,
    Reason.NO_FLAVOUR_FITS: Status.WAITING,
}
"""An idle job by the scaler's reason; by any other it is idle."""

_OF_OUTCOME = {
    Outcome.TASK_FAILED: (Status.FAILED, Reason.TASK_FAILED),
    Outcome.SYSTEM_FAILED: (Status.FAILED, Reason.EXECUTOR_FAILED),
    Outcome.REMOVED: (Status.FAILED, Reason.INTERRUPTED),
    Outcome.OUT_OF_TIME: (Status.KILLED, Reason.WALLTIME_EXCEEDED),
    Outcome.OUT_OF_MEMORY: (Status.KILLED, Reason.MEMORY_EXCEEDED),
}
"""A completed job by the report; the reason is used where the report has none of its own."""

_OF_HOLD = {
    HoldCode.OUT_OF_RESOURCES: (Status.KILLED, Reason.MEMORY_EXCEEDED),
    HoldCode.JOB_DURATION: (Status.KILLED, Reason.WALLTIME_EXCEEDED),
    HoldCode.EXECUTE_DURATION: (Status.KILLED, Reason.WALLTIME_EXCEEDED),
}
"""A held job by HTCondor's code; by any other it has failed."""


@dataclass(frozen=True)
class JobView:
    """One job as users see it. sentence: the reason with its gaps filled; both None for a healthy job.

    exit_code: the command's; None where the job ended otherwise or not yet. Keys of events and execution are those
    of the API; what is not known is absent.
    """

    status: Status
    reason: Reason | None
    sentence: str | None
    exit_code: int | None
    events: dict[str, int]
    execution: dict[str, Any]


def view(ad: JobAd, report: ExecutionReport | None, explanation: Explanation | None) -> JobView:
    """What to say of this job. report: of its last attempt; explanation: of its demand, while it is idle."""
    verdict = _verdict(ad, report, explanation)
    has_ended = verdict.status in ENDED
    return JobView(
        status=verdict.status,
        reason=verdict.reason,
        sentence=_sentence(verdict),
        exit_code=verdict.exit_code,
        events=_events(ad, has_ended),
        execution=_execution(ad, report if has_ended else None),
    )


@dataclass(frozen=True)
class _Verdict:
    status: Status
    reason: Reason | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    exit_code: int | None = None


def _verdict(ad: JobAd, report: ExecutionReport | None, explanation: Explanation | None) -> _Verdict:
    match ad.get(classads.JOB_STATUS):
        case JobStatus.RUNNING | JobStatus.TRANSFERRING_OUTPUT | JobStatus.SUSPENDED:
            return _Verdict(Status.RUNNING)
        case JobStatus.COMPLETED:
            return _completed(ad, report)
        case JobStatus.REMOVED:
            return _removed(ad)
        case JobStatus.HELD:
            return _held(ad)
    return _idle(explanation)


def _idle(explanation: Explanation | None) -> _Verdict:
    if explanation is None:
        return _Verdict(Status.IDLE, Reason.QUEUED)
    return _Verdict(_OF_WAITING.get(explanation.reason, Status.IDLE), explanation.reason, explanation.details)


def _completed(ad: JobAd, report: ExecutionReport | None) -> _Verdict:
    exit_code = _number(ad, classads.EXIT_CODE)
    if report is None or report.outcome is Outcome.SUCCESS:
        if exit_code == 0 and not ad.get(classads.EXIT_BY_SIGNAL):
            return _Verdict(Status.COMPLETED, exit_code=0)
        return _untold(ad, exit_code)
    if report.outcome not in _OF_OUTCOME:
        return _untold(ad, exit_code)
    status, reason = _OF_OUTCOME[report.outcome]
    of_command = exit_code if report.outcome is Outcome.TASK_FAILED and exit_code != 0 else None
    return _Verdict(status, report.reason or reason, report.details, of_command)


def _untold(ad: JobAd, exit_code: int | None) -> _Verdict:
    """The executor ended without telling what happened, or told what HTCondor contradicts."""
    if ad.get(classads.EXIT_BY_SIGNAL):
        detail = f"it was ended by signal {ad.get(classads.EXIT_SIGNAL, 'unknown')}"
    else:
        detail = f"it ended with exit code {exit_code} and did not tell why"
    return _Verdict(Status.FAILED, Reason.EXECUTOR_FAILED, {"detail": detail})


def _removed(ad: JobAd) -> _Verdict:
    by_user = str(ad.get(classads.REMOVE_REASON, "")).startswith(DELETED_BY_USER)
    return _Verdict(Status.DELETED, Reason.DELETED_BY_USER if by_user else Reason.INTERRUPTED)


def _held(ad: JobAd) -> _Verdict:
    code, subcode = ad.get(classads.HOLD_REASON_CODE), ad.get(classads.HOLD_REASON_SUBCODE)
    if (code, subcode) == (HoldCode.JOB_POLICY, TOO_MANY_ATTEMPTS):
        return _Verdict(Status.FAILED, Reason.TOO_MANY_ATTEMPTS, {"attempts": ad.get(classads.STARTS, "too many")})
    said = str(ad.get(classads.HOLD_REASON, "")).rstrip(". \n")
    for known, (status, reason) in _OF_HOLD.items():
        # Of disk, too, a job can run out.
        if code == known and (reason is not Reason.MEMORY_EXCEEDED or "memory" in said.lower()):
            return _Verdict(status, reason, {"limit": _limit(ad, reason)})
    return _Verdict(Status.FAILED, Reason.HELD, {"detail": said or "it does not say why"})


def _limit(ad: JobAd, reason: Reason) -> str:
    """What the user asked for and the job used up."""
    if reason is Reason.WALLTIME_EXCEEDED:
        seconds = _number(ad, classads.WALLTIME)
        return "unknown length" if seconds is None else units.plainly(seconds)
    mib = _number(ad, classads.REQUEST_MEMORY)
    return "unknown size" if mib is None else f"{units.memory_gb(mib):g} GB"


def _sentence(verdict: _Verdict) -> str | None:
    if verdict.reason is None:
        return None
    sentence = explain(verdict.reason, **verdict.details)
    return sentence if len(sentence) <= _LONGEST_SENTENCE else sentence[: _LONGEST_SENTENCE - 3] + "..."


def _events(ad: JobAd, has_ended: bool) -> dict[str, int]:
    """Unix epochs. An idle job that ran before has no start: it will start anew."""
    started = _number(ad, classads.STARTED_AT) if ad.get(classads.JOB_STATUS) != JobStatus.IDLE else None
    finished = _number(ad, classads.FINISHED_AT) or _number(ad, classads.ENTERED_STATUS_AT) if has_ended else None
    times = {"createTime": _number(ad, classads.SUBMITTED_AT), "startTime": started, "endTime": finished}
    return {name: time for name, time in times.items() if time}


def _execution(ad: JobAd, report: ExecutionReport | None) -> dict[str, Any]:
    starts = _number(ad, classads.STARTS) or 0
    execution: dict[str, Any] = {"retries": max(0, starts - 1)}
    _add(execution, "site", ad.get(classads.LAST_CLOUD))
    host = ad.get(classads.REMOTE_HOST) or ad.get(classads.LAST_REMOTE_HOST)
    _add(execution, "worker", str(host).rpartition("@")[2] if host else None)
    _add(execution, "provisionedResources", _provisioned(ad))
    if report is not None:
        _add(execution, "cpu", {"model": report.cpu_model} if report.cpu_model else None)
        _add(execution, "runtimeVersion", dict(report.runtime_versions))
        peaks = [task.max_rss_kib for task in report.tasks if task.max_rss_kib is not None]
        _add(execution, "maxMemoryUsageKB", max(peaks, default=None))
        execution["tasks"] = [_task(task, report) for task in report.tasks]
    return execution


def _provisioned(ad: JobAd) -> dict[str, float]:
    cpus, memory, disk = (
        _number(ad, name)
        for name in (classads.CPUS_PROVISIONED, classads.MEMORY_PROVISIONED, classads.DISK_PROVISIONED)
    )
    if cpus is None or memory is None or disk is None:
        return {}
    return {"cpus": cpus, "memory": units.memory_gb(memory), "disk": units.disk_gb(disk), "nodes": 1}


def _task(task: TaskReport, report: ExecutionReport) -> dict[str, Any]:
    shown: dict[str, Any] = {"retries": 0}
    _add(shown, "exitCode", task.exit_code)
    if task.pull_s is not None:
        _add(shown, "imagePullStatus", "completed")
        _add(shown, "imagePullTime", _figure(task.pull_s))
    elif task.exit_code is not None:
        _add(shown, "imagePullStatus", "cached")
    elif report.reason is Reason.IMAGE_PULL_FAILED:
        _add(shown, "imagePullStatus", "failed")
    _add(shown, "imageSha256", (task.image_digest or "").removeprefix("sha256:"))
    _add(shown, "wallTimeUsage", _figure(task.wall_s))
    _add(shown, "cpuTimeUsage", _figure(task.cpu_s))
    _add(shown, "maxResidentSetSizeKB", task.max_rss_kib)
    _add(shown, "runtime", task.runtime)
    return shown


def _add(document: dict[str, Any], key: str, value: Any) -> None:
    """Absent, not null or empty: old clients test for the key."""
    if value is not None and value not in ("", {}):
        document[key] = value


def _figure(value: float | None) -> float | None:
    """Infinity and "not a number" exist in Python's JSON, but in nobody else's."""
    return round(value, 3) if value is not None and math.isfinite(value) else None


def _number(ad: JobAd, name: str) -> int | None:
    value = ad.get(name)
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else None
