"""All that is told of one job: one fact per line, its tasks below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prominence.cli import view
from prominence.cli.render.jobs import elapsed, job_progress
from prominence.cli.render.text import clean, field, pairs, plain, utc

_DESCRIBED = frozenset(
    {
        "id",
        "array",
        "workflow",
        "parameters",
        "name",
        "status",
        "statusReason",
        "exitCode",
        "events",
        "resources",
        "labels",
        "tasks",
        "execution",
    }
)
_DESCRIBED_RESOURCES = (
    ("nodes", ""),
    ("cpus", ""),
    ("cpusRange", ""),
    ("cpusOptions", ""),
    ("totalCpusRange", ""),
    ("memory", " GB"),
    ("memoryPerCpu", " GB"),
    ("disk", " GB"),
    ("gpus", ""),
    ("walltime", " min"),
)
_DESCRIBED_TASK = (("image", "Image"), ("cmd", "Command"), ("runtime", "Runtime"), ("workdir", "Directory"))
_DESCRIBED_RUN = (
    ("exitCode", "Exit code", ""),
    ("signal", "Signal", ""),
    ("imagePullTime", "Image pull", " s"),
    ("imageSha256", "Image digest", ""),
    ("wallTimeUsage", "Wall time", " s"),
    ("cpuTimeUsage", "CPU time", " s"),
    ("maxResidentSetSizeKB", "Peak memory", " KB"),
)


def description_of_job(job: view.Job, now: float) -> str:
    """The job as people read it: one fact per line, tasks below."""
    lines = [field(name, value) for name, value in _facts(job, now) if value]
    reported = view.reported_tasks(job)
    for number, task in enumerate(view.tasks(job)):
        run = reported[number] if number < len(reported) else {}
        lines += ["", f"Task {number}"]
        lines += [field("  " + name, value) for name, value in _task_facts(task, run) if value]
    return "\n".join(lines)


def _facts(job: view.Job, now: float) -> Iterator[tuple[str, str]]:
    execution = view.mapping(job, "execution")
    yield "Job", plain(job.get("id"))
    yield "Array", plain(job.get("array"))
    yield "Workflow", plain(job.get("workflow"))
    yield "Parameters", pairs(view.mapping(job, "parameters"))
    yield "Name", clean(view.text(job, "name"))
    yield "Status", job_progress(job)
    yield "Exit code", plain(view.exit_code(job))
    yield "Created", utc(view.moment(job, "createTime"))
    yield "Started", utc(view.moment(job, "startTime"))
    yield "Ended", utc(view.moment(job, "endTime"))
    yield "Elapsed", elapsed(job, now)
    yield "Resources", _resources(view.mapping(job, "resources"))
    yield "Labels", pairs(view.mapping(job, "labels"))
    yield "Site", clean(view.text(execution, "site"))
    yield "Worker", clean(view.text(execution, "worker"))
    yield "Processor", clean(view.text(view.mapping(execution, "cpu"), "model"))
    yield "Runtimes", pairs(view.mapping(execution, "runtimeVersion"))
    yield "Uses now", pairs({k: v for k, v in view.mapping(execution, "live").items() if k != "time"})
    used = view.mapping(execution, "efficiency")
    shares = ((name, used.get(key)) for key, name in (("cpu", "cores"), ("memory", "memory")))
    yield "Efficiency", ", ".join(f"{share:.0%} of {name}" for name, share in shares if isinstance(share, int | float))
    yield "Advice", clean(view.text(used, "advice"))
    for key, name in (("stageIn", "Files in"), ("stageOut", "Files out")):
        yield name, _moved(execution.get(f"{key}Bytes"), execution.get(f"{key}Time"))
    for key, value in job.items():  # what a newer API tells, and we have no better words for
        if key not in _DESCRIBED and value not in ({}, [], None):
            yield clean(key), plain(value)


def _moved(size: Any, seconds: Any) -> str:
    return "" if size is None else f"{plain(size)} bytes in {plain(seconds)} s"


def _task_facts(task: Mapping[str, Any], run: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, name in _DESCRIBED_TASK:
        yield name, plain(task.get(key))
    yield "Environment", pairs(view.mapping(task, "env"))
    for key, name, unit in _DESCRIBED_RUN:
        value = plain(run.get(key))
        yield name, value + unit if value else ""


def _resources(resources: Mapping[str, Any]) -> str:
    known = ((key, plain(resources.get(key)), unit) for key, unit in _DESCRIBED_RESOURCES)
    return ", ".join(f"{key} {value}{unit}" for key, value, unit in known if value)
