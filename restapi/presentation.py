"""A job as the public API writes it. Pure.

What is not known is absent, never null: old clients test for the key. What they cannot do without is always there:
id, name, status, tasks and events; in detail resources and execution too.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from prominence.core import classads, units
from prominence.core.job import JobSpec
from prominence.core.view import JobAd, JobView
from prominence.restapi.finished import Attempt
from prominence.restapi.identity import Account
from prominence.restapi.outputs import Output, Outputs
from prominence.restapi.summary import Summary

ALWAYS = frozenset({"id", "name", "status", "statusReason", "statusReasonCode", "exitCode", "group", "labels"})
_FILES = frozenset({"inputs", "artifacts", "outputFiles", "outputDirs"})
DETAILS = _FILES | {"resources", "policies", "priority", "execution", "attempts"}
FIELDS = ALWAYS | DETAILS | {"tasks", "events"}
"""What can be told of a job, and what of it in detail only."""

_OF_A_VERSION = (classads.STARTS, classads.REMOTE_HOST, classads.PRIORITY, classads.WALLTIME)
"""What a job changes by, besides what a list shows of it."""

_OF_OTHERS = {"image", "runtime"}

_IN_PLACE_OF = {"cpusRange": ("cpus",), "cpusOptions": ("cpus",), "memoryPerCpu": ("memory",)}
"""Of resources those that stand for another."""


@dataclass(frozen=True)
class Job:
    """What is known of a job. summary: of its description; spec: all of it, None when it was not looked at or is gone.

    discreet: for somebody who may see that there is such a job, and not what is in it.
    """

    ad: JobAd
    view: JobView
    summary: Summary
    spec: JobSpec | None = None
    attempts: tuple[Attempt, ...] = ()
    discreet: bool = False
    outputs: Outputs = Outputs()

    @property
    def job_id(self) -> int:
        """Its number."""
        return int(self.ad[classads.CLUSTER_ID])

    @property
    def uid(self) -> str:
        """By which its files are found."""
        return str(self.ad[classads.JOB_UID])

    @property
    def owner(self) -> Account:
        """Whose it is."""
        return Account(str(self.ad[classads.IDENTITY]), str(self.ad.get(classads.GROUP, "")))


def present(job: Job, detail: bool, fields: frozenset[str] | None = None) -> dict[str, Any]:
    """The job as JSON; `detail` is for everything that is known, `fields` for some of it."""
    known: dict[str, Any] = {
        "id": job.ad[classads.CLUSTER_ID],
        "name": job.ad.get(classads.JOB_NAME, ""),
        "status": job.view.status.value,
        "statusReason": job.view.sentence,
        "statusReasonCode": job.view.reason.value if job.view.reason is not None else None,
        "exitCode": job.view.exit_code,
        "group": job.ad.get(classads.GROUP),
        "labels": dict(job.summary.labels),
        "tasks": _tasks(job, detail),
    }
    if detail:
        known |= _details(job)
    known["events"] = job.view.events
    return {name: value for name, value in known.items() if _is_told(name, value) and (not fields or name in fields)}


def version(job: Job) -> str:
    """Changes with what can be told of the job; neither with addresses that are signed anew, nor with its output."""
    attributes = {name: job.ad.get(name) for name in _OF_A_VERSION}
    text = json.dumps([present(job, detail=False), attributes], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _is_told(name: str, value: Any) -> bool:
    """An empty name is a name; nothing else that is empty is there."""
    return value not in (None, "", {}, []) or name == "name"


def _details(job: Job) -> dict[str, Any]:
    return {
        "resources": _resources(job),
        "policies": job.spec.policies.model_dump(exclude_defaults=True) if job.spec is not None else None,
        "priority": job.ad.get(classads.PRIORITY) or None,
        "execution": job.view.execution,
        "attempts": [attempt.shown() for attempt in job.attempts],
        **_files(job),
    }


def _tasks(job: Job, detail: bool) -> list[dict[str, Any]]:
    if job.discreet:
        return [{key: value for key, value in task.items() if key in _OF_OTHERS} for task in job.summary.tasks]
    if detail and job.spec is not None:
        return [task.model_dump(exclude_defaults=True) for task in job.spec.tasks]
    return [dict(task) for task in job.summary.tasks]


def _files(job: Job) -> dict[str, Any]:
    """What the job is given, fetches and keeps. Of what was kept the address to get it from; of the rest ""."""
    if job.spec is None or job.discreet:
        return {}
    kept = {"outputFiles": job.outputs.files, "outputDirs": job.outputs.directories}
    asked: dict[str, Any] = {
        "inputs": [file.model_dump(exclude={"content"}, exclude_defaults=True) for file in job.spec.inputs],
        "artifacts": [artifact.model_dump(exclude_defaults=True) for artifact in job.spec.artifacts],
        **{key: [_output(output) for output in outputs] for key, outputs in kept.items()},
    }
    return {key: files for key, files in asked.items() if files}


def _output(output: Output) -> dict[str, Any]:
    return {"name": output.name, "url": output.url, **({} if output.size is None else {"size": output.size})}


def _resources(job: Job) -> dict[str, Any]:
    """As the job asks, and what the site has given it where it says nothing."""
    given = {
        "cpus": job.ad.get(classads.REQUEST_CPUS, 0),
        "memory": units.memory_gb(int(job.ad.get(classads.REQUEST_MEMORY, 0))),
        "disk": units.disk_gb(int(job.ad.get(classads.REQUEST_DISK, 0))),
    }
    asked = job.spec.resources.model_dump(exclude_none=True) if job.spec is not None else {}
    said = {name for field in asked for name in _IN_PLACE_OF.get(field, (field,))}
    shown = {**{name: value for name, value in given.items() if name not in said}, **asked}
    return {name: _short(value) for name, value in shown.items()}


def _short(value: Any) -> Any:
    """Whole numbers without a point, as old clients expect them."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
