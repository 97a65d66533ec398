"""What the public API says of a job: its status word, why, since when, and what became of its tasks. Pure.

Made from HTCondor's ad of the job, the executor's report of its last attempt and the scaler's explanation of why it
waits. The report comes from a worker: it is believed about the user's own tasks, never against HTCondor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from prominence.core import classads, units
from prominence.core.efficiency import efficiency
from prominence.core.reasons import OF_IMAGES, Reason, explain
from prominence.core.report import (
    LIVE_AT,
    LIVE_CPU_MS,
    LIVE_CPUS,
    LIVE_DISK,
    LIVE_MEMORY,
    ExecutionReport,
    NodeReport,
    TaskReport,
    TransferReport,
)
from prominence.core.scaling import Explanation
from prominence.core.states import ENDED, JobStatus, Status
from prominence.core.verdict import JobAd as JobAd
from prominence.core.verdict import number, verdict

ATTRIBUTES = (
    classads.CLUSTER_ID,
    classads.ARRAY_INDEX,
    classads.ARRAY_COUNT,
    classads.NODE,
    classads.NODE_COUNT,
    classads.PARAMETERS,
    classads.JOB_STATUS,
    classads.JOB_UID,
    classads.REQUEST_ID,
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
    *classads.PLACEMENT,
    classads.REQUIRES,
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
    classads.MEMORY_USAGE,
    *classads.LIVE,
    classads.CPUS_PROVISIONED,
    classads.MEMORY_PROVISIONED,
    classads.DISK_PROVISIONED,
    classads.NODES,
    classads.EXPECTED,
    classads.DAG_DONE,
    classads.DAG_FAILED,
    classads.DAG_QUEUED,
)
"""What must be asked of HTCondor to show a job or a workflow, and to find its files and its explanation."""


_CLOCKS_DIFFER_S = 30
_LONGEST_TROUBLE = 300
_LAST_MOMENT = 253_402_300_799  # the end of the year 9999
_OF_LIVE = (
    ("cpuTimeUsage", LIVE_CPU_MS, 1000),
    ("cpus", LIVE_CPUS, 1000),
    ("memoryUsageKB", LIVE_MEMORY, 1),
    ("diskUsageKB", LIVE_DISK, 1),
)
"""What is told while a task runs: by the API's name, in the attribute, of which so many make one."""


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
        events=events(ad, has_ended),
        execution=_execution(ad, report if has_ended else None),
    )


def moment(ad: JobAd, name: str) -> int | None:
    """A Unix epoch of the ad; None for what is not there, or is in no calendar: a worker may have made it up."""
    found = number(ad, name)
    return found if found is not None and 0 < found <= _LAST_MOMENT else None


def ended_at(ad: JobAd) -> int | None:
    """When a job ended that has."""
    return moment(ad, classads.FINISHED_AT) or moment(ad, classads.ENTERED_STATUS_AT)


def events(ad: JobAd, has_ended: bool) -> dict[str, int]:
    """Unix epochs. An idle job that ran before has no start: it will start anew."""
    started = moment(ad, classads.STARTED_AT) if ad.get(classads.JOB_STATUS) != JobStatus.IDLE else None
    finished = ended_at(ad) if has_ended else None
    times = {"createTime": moment(ad, classads.SUBMITTED_AT), "startTime": started, "endTime": finished}
    return {name: time for name, time in times.items() if time}


def _execution(ad: JobAd, report: ExecutionReport | None) -> dict[str, Any]:
    starts = number(ad, classads.STARTS) or 0
    execution: dict[str, Any] = {"retries": max(0, starts - 1)}
    _add(execution, "site", ad.get(classads.LAST_CLOUD))
    host = ad.get(classads.REMOTE_HOST) or ad.get(classads.LAST_REMOTE_HOST)
    _add(execution, "worker", str(host).rpartition("@")[2] if host else None)
    _add(execution, "provisionedResources", _provisioned(ad))
    _add(execution, "live", _live(ad) if ad.get(classads.JOB_STATUS) == JobStatus.RUNNING else None)
    if report is not None:
        cpu = {"vendor": report.cpu_vendor, "model": report.cpu_model, "clock": report.cpu_clock}
        _add(execution, "cpu", {key: said for key, said in cpu.items() if said})
        _add(execution, "runtimeVersion", dict(report.runtime_versions))
        peaks = [task.max_rss_kib for task in report.tasks if task.max_rss_kib is not None]
        _add(execution, "maxMemoryUsageKB", max(peaks, default=None))
        for key, transfers in (("stageIn", report.stage_in), ("stageOut", report.stage_out)):
            _add(execution, f"{key}Time", _figure(sum(one.seconds for one in transfers)) if transfers else None)
            _add(execution, f"{key}Bytes", sum(max(0, one.size or 0) for one in transfers) if transfers else None)
            _add(execution, key, [_transfer(one) for one in transfers] or None)
        if report.checkpoint is not None:
            saved = {"saved": max(0, report.checkpoint.saved), "restored": report.checkpoint.restored}
            execution["checkpoint"] = saved
            _add(saved, "trouble", report.checkpoint.trouble[:_LONGEST_TROUBLE])
        execution["tasks"] = [_task(task, report) for task in report.tasks]
        _add(execution, "efficiency", _efficiency(ad, report))
        _add(execution, "nodes", [_node(node) for node in report.nodes] or None)
        _add(execution, "sidecars", [_task(task, report) for task in report.sidecars] or None)
    return execution


def _efficiency(ad: JobAd, report: ExecutionReport) -> dict[str, Any]:
    """Of a job of one node: the others' figures are not with the first one's."""
    cpus, memory = number(ad, classads.CPUS_PROVISIONED), number(ad, classads.MEMORY_PROVISIONED)
    if cpus is None or memory is None or (number(ad, classads.NODE_COUNT) or 1) > 1:
        return {}
    return efficiency(report.tasks, cpus, memory)


def _live(ad: JobAd) -> dict[str, Any]:
    """What the running task uses. What was told in an earlier start is old; the clocks of two machines differ."""
    at, started_at = number(ad, LIVE_AT), number(ad, classads.STARTED_AT)
    if at is None or started_at is None or at < started_at - _CLOCKS_DIFFER_S:
        return {}
    told: dict[str, Any] = {"time": at}
    for key, name, per_unit in _OF_LIVE:
        value = number(ad, name)
        _add(told, key, None if value is None or value < 0 else value if per_unit == 1 else value / per_unit)
    return told


def _provisioned(ad: JobAd) -> dict[str, float]:
    cpus, memory, disk = (
        number(ad, name) for name in (classads.CPUS_PROVISIONED, classads.MEMORY_PROVISIONED, classads.DISK_PROVISIONED)
    )
    if cpus is None or memory is None or disk is None:
        return {}
    nodes = number(ad, classads.NODE_COUNT) or 1
    return {"cpus": cpus, "memory": units.memory_gb(memory), "disk": units.disk_gb(disk), "nodes": nodes}


def _transfer(transfer: TransferReport) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": transfer.name, "status": transfer.status}
    _add(shown, "time", _figure(transfer.seconds))
    _add(shown, "sha256", transfer.sha256)
    _add(shown, "size", transfer.size if transfer.size is None else max(0, transfer.size))
    return shown


def _node(node: NodeReport) -> dict[str, Any]:
    shown: dict[str, Any] = {"node": node.number, "outcome": node.outcome.value}
    _add(shown, "worker", node.host)
    _add(shown, "reason", explain(node.reason, **node.details) if node.reason is not None else None)
    _add(shown, "cpu", {"model": node.cpu_model} if node.cpu_model else None)
    _add(shown, "stageIn", [_transfer(one) for one in node.stage_in] or None)
    shown["tasks"] = [_task(task, node) for task in node.tasks]
    return shown


def _task(task: TaskReport, report: ExecutionReport | NodeReport) -> dict[str, Any]:
    shown: dict[str, Any] = {"retries": task.retries}
    _add(shown, "exitCode", task.exit_code)
    _add(shown, "signal", task.signal)
    if task.pull_s is not None:
        _add(shown, "imagePullStatus", "completed")
        _add(shown, "imagePullTime", _figure(task.pull_s))
    elif task.exit_code is not None:
        _add(shown, "imagePullStatus", "cached")
    elif report.reason in OF_IMAGES:
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
