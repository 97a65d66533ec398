"""A job as the public API writes it. Pure.

What is not known is absent, never null: old clients test for the key. What they cannot do without is always there:
id, name, status, tasks and events; in detail resources and execution too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prominence.core import classads, images, units
from prominence.core.document import BadDocument
from prominence.core.job import JobSpec
from prominence.core.jobid import JobId
from prominence.core.states import Status
from prominence.core.substitution import read_values
from prominence.core.verdict import number
from prominence.core.view import JobAd, JobView
from prominence.core.workflow import WorkflowSpec
from prominence.core.workflow_view import progress, workflow_view
from prominence.restapi import summary
from prominence.restapi.finished import Attempt
from prominence.restapi.identity import Account
from prominence.restapi.outputs import Output, Outputs
from prominence.restapi.summary import Summary

IDS = frozenset({"id", "array"})
"""What is told of a job in any case; an array of its members alone."""

ALWAYS = frozenset(
    {
        "id",
        "name",
        "status",
        "statusReason",
        "statusReasonCode",
        "exitCode",
        "group",
        "labels",
        "workflow",
        "parameters",
    }
)
_FILES = frozenset({"inputs", "artifacts", "outputFiles", "outputDirs"})
DETAILS = _FILES | {"storage", "resources", "policies", "notifications", "priority", "execution", "attempts"}
FIELDS = ALWAYS | DETAILS | {"tasks", "events"}
"""What can be told of a job, and what of it in detail only."""

_OF_A_VERSION = (classads.STARTS, classads.REMOTE_HOST, classads.PRIORITY, classads.WALLTIME, *classads.PLACEMENT)
"""What a job changes by, besides what a list shows of it."""

_A_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")

_OF_OTHERS = {"image", "runtime"}
_OF_FILES = {"stageIn", "stageOut"}

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
    def job_id(self) -> JobId:
        """Its number."""
        return JobId.of(self.ad)

    @property
    def uid(self) -> str:
        """By which its files are found."""
        return str(self.ad[classads.JOB_UID])

    @property
    def owner(self) -> Account:
        """Whose it is."""
        return owner_of(self.ad)


def owner_of(ad: JobAd) -> Account:
    """Whose a job is."""
    return Account(str(ad[classads.IDENTITY]), str(ad.get(classads.GROUP, "")))


def present(job: Job, detail: bool, fields: frozenset[str] | None = None) -> dict[str, Any]:
    """The job as JSON; `detail` is for everything that is known, `fields` for some of it."""
    known: dict[str, Any] = {
        "id": job.job_id.shown,
        "array": job.job_id.cluster if job.job_id.index is not None else None,
        "name": job.ad.get(classads.JOB_NAME, ""),
        "status": job.view.status.value,
        "statusReason": job.view.sentence,
        "statusReasonCode": job.view.reason.value if job.view.reason is not None else None,
        "exitCode": job.view.exit_code,
        "group": job.ad.get(classads.GROUP),
        "labels": dict(job.summary.labels),
        "workflow": job.ad.get(classads.DAGMAN_ID),
        "parameters": None if job.discreet else _parameters(job.ad),
        "tasks": _tasks(job, detail),
    }
    if detail:
        known |= _details(job)
    known["events"] = job.view.events
    return {name: value for name, value in known.items() if _is_told(name, value) and (not fields or name in fields)}


def parameters(ad: JobAd) -> dict[str, str]:
    """What a job of a workflow has for parameters; none for any other."""
    try:
        return read_values(str(ad.get(classads.PARAMETERS, "")))
    except BadDocument:  # an ad is HTCondor's to keep, and its operator's to change
        return {}


def numbers(values: Mapping[str, str]) -> dict[str, Any]:
    """Numbers as numbers, as old clients expect them, where that leaves them as they are."""
    return {name: _number(text) for name, text in values.items()}


def present_workflow(ad: JobAd, spec: WorkflowSpec | None, detail: bool, discreet: bool) -> dict[str, Any]:
    """A workflow as JSON. spec: None where it is no longer kept. discreet: for somebody who may not read it."""
    seen, text = workflow_view(ad), ad.get(classads.SUMMARY)
    short = summary.read(text) if isinstance(text, str) else None
    known: dict[str, Any] = {
        "id": int(ad[classads.CLUSTER_ID]),
        "name": ad.get(classads.JOB_NAME, ""),
        "status": seen.status.value,
        "statusReason": seen.sentence,
        "statusReasonCode": seen.reason.value if seen.reason is not None else None,
        "group": ad.get(classads.GROUP),
        "labels": dict(short.labels) if short is not None else None,
    }
    told = {name: value for name, value in known.items() if _is_told(name, value)}
    if detail:
        told |= {"jobs": [], **(_parts(spec, discreet) if spec is not None else {})}
    return {**told, "progress": progress(ad), "events": seen.events}


def _parts(spec: WorkflowSpec, discreet: bool) -> dict[str, Any]:
    """Of a workflow, as its user wrote them."""
    if discreet:
        tasks = ([{"image": images.shown(task.image)} for task in job.tasks] for job in spec.jobs)
        return {"jobs": [{"name": job.name, "tasks": found} for job, found in zip(spec.jobs, tasks, strict=True)]}
    written = spec.model_dump(mode="json", exclude_unset=True)
    for job in (*written["jobs"], *(written[field] for field in spec.at_the_end)):
        for file in job.get("inputs", ()):
            del file["content"]
    parts = ("jobs", "dependencies", "factories", "onFailure", "finally", "policies", "notifications")
    return {name: written[name] for name in parts if written.get(name)}


def present_array(one: Job, statuses: Mapping[Status, int]) -> dict[str, Any]:
    """An array as JSON, by one of its members, whichever it is, and how many of them have which status."""
    known = {
        "id": one.job_id.cluster,
        "name": one.ad.get(classads.JOB_NAME, ""),
        "count": one.ad[classads.ARRAY_COUNT],
        "group": one.ad.get(classads.GROUP),
        "labels": dict(one.summary.labels),
    }
    shown = {name: value for name, value in known.items() if _is_told(name, value)}
    created = {name: moment for name, moment in one.view.events.items() if name == "createTime"}
    return {**shown, "statuses": {word.value: statuses[word] for word in Status if word in statuses}, "events": created}


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
        "notifications": [one.model_dump() for one in job.spec.notifications] if job.spec is not None else None,
        "priority": job.ad.get(classads.PRIORITY) or None,
        "requestId": job.ad.get(classads.REQUEST_ID),
        "execution": _execution(job),
        "attempts": [attempt.shown() for attempt in job.attempts],
        **_files(job),
    }


def _parameters(ad: JobAd) -> dict[str, Any]:
    return numbers(parameters(ad))


def _number(text: str) -> str | int | float:
    if not _A_NUMBER.fullmatch(text):
        return text
    found = float(text) if "." in text else int(text)
    return found if str(found) == text else text


def _tasks(job: Job, detail: bool) -> list[dict[str, Any]]:
    if job.discreet:
        return [{key: value for key, value in task.items() if key in _OF_OTHERS} for task in job.summary.tasks]
    if detail and job.spec is not None:
        return [task.model_dump(exclude_defaults=True) for task in job.spec.tasks]
    return [dict(task) for task in job.summary.tasks]


def _execution(job: Job) -> dict[str, Any]:
    """Others see how the job ran, not what its files are called."""
    return {key: value for key, value in job.view.execution.items() if not job.discreet or key not in _OF_FILES}


def _files(job: Job) -> dict[str, Any]:
    """What the job is given, fetches and keeps. Of what was kept the address to get it from; of the rest ""."""
    if job.spec is None or job.discreet:
        return {}
    kept = {"outputFiles": job.outputs.files, "outputDirs": job.outputs.directories}
    storage = job.spec.storage.model_dump(exclude_defaults=True) if job.spec.storage is not None else None
    asked: dict[str, Any] = {
        "storage": storage,
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
        "memory": units.memory_gb(number(job.ad, classads.REQUEST_MEMORY) or 0),
        "disk": units.disk_gb(number(job.ad, classads.REQUEST_DISK) or 0),
    }
    asked = job.spec.resources.model_dump(exclude_none=True) if job.spec is not None else {}
    if job.spec is not None:
        asked["nodes"] = job.spec.resources.number_of_nodes
    said = {name for field in asked for name in _IN_PLACE_OF.get(field, (field,))}
    shown = {**{name: value for name, value in given.items() if name not in said}, **asked}
    return {name: _short(value) for name, value in shown.items()}


def _short(value: Any) -> Any:
    """Whole numbers without a point, as old clients expect them."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
