"""What the public API says of a job: its status word, why, since when, and what became of its tasks. Pure.

Made from HTCondor's ad of the job, the executor's report of its last attempt and the scaler's explanation of why it
waits. The report comes from a worker: it is believed about the user's own tasks, never against HTCondor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from prominence.core import classads, units
from prominence.core.reasons import Reason
from prominence.core.report import ExecutionReport, TaskReport
from prominence.core.scaling import Explanation
from prominence.core.states import ENDED, JobStatus, Status
from prominence.core.verdict import JobAd as JobAd
from prominence.core.verdict import number, verdict

ATTRIBUTES = (
    classads.CLUSTER_ID,
    classads.JOB_STATUS,
    classads.JOB_UID,
    classads.JOB_NAME,
    classads.SUMMARY,
    classads.IDENTITY,
    classads.GROUP,
    classads.ACCOUNTING_USER,
    classads.ACCOUNTING_GROUP,
    classads.REQUEST_CPUS,
    classads.REQUEST_MEMORY,
    classads.REQUEST_DISK,
    classads.REQUEST_GPUS,
    classads.WALLTIME,
    classads.PRIORITY,
    classads.DAGMAN_ID,
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
    classads.LAST_STATUS,
    classads.LAST_HOLD_REASON,
    classads.LAST_HOLD_REASON_CODE,
    classads.LAST_HOLD_REASON_SUBCODE,
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
    found = verdict(ad, report, explanation)
    has_ended = found.status in ENDED
    return JobView(
        status=found.status,
        reason=found.reason,
        sentence=found.sentence,
        exit_code=found.exit_code,
        events=_events(ad, has_ended),
        execution=_execution(ad, report if has_ended else None),
    )


def ended_at(ad: JobAd) -> int | None:
    """When a job ended that has."""
    return number(ad, classads.FINISHED_AT) or number(ad, classads.ENTERED_STATUS_AT)


def _events(ad: JobAd, has_ended: bool) -> dict[str, int]:
    """Unix epochs. An idle job that ran before has no start: it will start anew."""
    started = number(ad, classads.STARTED_AT) if ad.get(classads.JOB_STATUS) != JobStatus.IDLE else None
    finished = ended_at(ad) if has_ended else None
    times = {"createTime": number(ad, classads.SUBMITTED_AT), "startTime": started, "endTime": finished}
    return {name: time for name, time in times.items() if time}


def _execution(ad: JobAd, report: ExecutionReport | None) -> dict[str, Any]:
    starts = number(ad, classads.STARTS) or 0
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
        for key, transfers in (("stageInTime", report.stage_in), ("stageOutTime", report.stage_out)):
            _add(execution, key, _figure(sum(one.seconds for one in transfers)) if transfers else None)
        execution["tasks"] = [_task(task, report) for task in report.tasks]
    return execution


def _provisioned(ad: JobAd) -> dict[str, float]:
    cpus, memory, disk = (
        number(ad, name) for name in (classads.CPUS_PROVISIONED, classads.MEMORY_PROVISIONED, classads.DISK_PROVISIONED)
    )
    if cpus is None or memory is None or disk is None:
        return {}
    return {"cpus": cpus, "memory": units.memory_gb(memory), "disk": units.disk_gb(disk), "nodes": 1}


def _task(task: TaskReport, report: ExecutionReport) -> dict[str, Any]:
    shown: dict[str, Any] = {"retries": task.retries}
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
