"""Valid objects with the defaults that a test does not care about; keywords change what it does care about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from prominence.core.job import JobSpec
from prominence.core.machines import CloudStatus, Flavour, Size, Worker, WorkerRequest
from prominence.core.resources import Resources
from prominence.core.snapshot import Demand, ExecutePoint, PoolSnapshot
from prominence.core.validation import parse

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)

_RESOURCES = tuple(Resources.model_fields)


def minutes(count: float) -> timedelta:
    """For `NOON + minutes(16)`."""
    return timedelta(minutes=count)


def a_task(**changes: Any) -> dict[str, Any]:
    """A task as a user writes it."""
    return {"image": "python:3.12", "cmd": "python --version", **changes}


def job_json(**changes: Any) -> dict[str, Any]:
    """A job as a user writes it. cpus, memory, disk, walltime and nodes change its resources."""
    resources = {key: changes.pop(key) for key in _RESOURCES if key in changes}
    job: dict[str, Any] = {"tasks": [a_task()], "resources": {"cpus": 1, "memory": 1, "disk": 10}, **changes}
    if resources:
        job["resources"] = {**job["resources"], **resources}
    return job


def a_job(**changes: Any) -> JobSpec:
    """The same, parsed: `a_job(cpus=8)`, `a_job(tasks=[a_task(cmd="false")])`."""
    return parse(JobSpec, job_json(**changes))


def a_size(cpus: int = 1, memory_mib: int = 1000, disk_mib: int = 10 * 1024, gpus: int = 0) -> Size:
    """What a small job needs."""
    return Size(cpus=cpus, memory_mib=memory_mib, disk_mib=disk_mib, gpus=gpus)


def a_flavour(**changes: Any) -> Flavour:
    """A machine for four small jobs."""
    return Flavour(**{"cloud": "docker", "name": "small", "size": a_size(4, 4000, 40 * 1024), **changes})


def a_cloud(**changes: Any) -> CloudStatus:
    """A cloud that offers one flavour and can be used."""
    return CloudStatus(**{"name": "docker", "flavours": (a_flavour(),), "limit": 10, **changes})


def a_request(**changes: Any) -> WorkerRequest:
    """A wish for a worker, as the scaler sends it."""
    return WorkerRequest(**{"size": a_size(), "reason": "2 jobs are waiting", "fence": 1, **changes})


def a_worker(**changes: Any) -> Worker:
    """imc's record of a worker that was requested at noon."""
    return Worker(**{"name": "worker-1", "request": a_request(), "requested_at": NOON, "phase_since": NOON, **changes})


def a_demand(**changes: Any) -> Demand:
    """One small idle job."""
    return Demand(**{"size": a_size(), "user": "alice", "jobs": 1, **changes})


def an_execute_point(**changes: Any) -> ExecutePoint:
    """A registered machine with nothing to do since noon."""
    total = changes.get("total", a_flavour().size)
    return ExecutePoint(
        **{
            "name": "worker-1",
            "total": total,
            "free": total,
            "claimed_slots": 0,
            "idle_since": NOON,
            "last_heard_at": NOON,
            **changes,
        }
    )


def a_snapshot(**changes: Any) -> PoolSnapshot:
    """An empty pool seen whole at noon, its collector up since the day before."""
    return PoolSnapshot(
        **{
            "taken_at": NOON,
            "demand": (),
            "execute_points": (),
            "workers": (),
            "clouds": (a_cloud(),),
            "collector_started_at": NOON - timedelta(days=1),
            **changes,
        }
    )
