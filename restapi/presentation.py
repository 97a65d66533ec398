"""A job as the public API writes it. Pure.

What is not known is absent, never null: old clients test for the key. What they cannot do without is always there:
id, name, status, tasks and events; in detail resources and execution too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prominence.core import classads, units
from prominence.core.job import JobSpec
from prominence.core.view import JobAd, JobView


@dataclass(frozen=True)
class Job:
    """What is known of a job. spec: None when its file is gone."""

    ad: JobAd
    spec: JobSpec | None
    view: JobView


def present(job: Job, detail: bool) -> dict[str, Any]:
    """The job as JSON; `detail` is for everything that is known."""
    shown: dict[str, Any] = {
        "id": job.ad[classads.CLUSTER_ID],
        "name": job.spec.name if job.spec else job.ad.get(classads.JOB_NAME, ""),
        "status": job.view.status.value,
    }
    if job.view.reason is not None:
        shown |= {"statusReason": job.view.sentence, "statusReasonCode": job.view.reason.value}
    if job.view.exit_code is not None:
        shown["exitCode"] = job.view.exit_code
    if job.spec is not None and job.spec.labels:
        shown["labels"] = job.spec.labels
    if job.spec is not None and job.spec.group is not None:
        shown["group"] = job.spec.group
    shown["tasks"] = _tasks(job.spec, detail)
    if detail:
        shown |= {"resources": _resources(job), "execution": job.view.execution}
    return {**shown, "events": job.view.events}


def _tasks(spec: JobSpec | None, detail: bool) -> list[dict[str, Any]]:
    if spec is None:
        return [{"image": ""}]
    only = None if detail else {"image", "runtime", "cmd"}
    return [task.model_dump(include=only, exclude_defaults=True) for task in spec.tasks]


def _resources(job: Job) -> dict[str, Any]:
    if job.spec is not None:
        asked = job.spec.resources.model_dump(exclude_none=True)
    else:
        asked = {
            "cpus": job.ad.get(classads.REQUEST_CPUS, 0),
            "memory": units.memory_gb(int(job.ad.get(classads.REQUEST_MEMORY, 0))),
            "disk": units.disk_gb(int(job.ad.get(classads.REQUEST_DISK, 0))),
        }
    return {name: int(value) if value == int(value) else value for name, value in asked.items()}
