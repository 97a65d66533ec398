"""JobSpec -> ExecutionPlan: what the user asked for, as orders to the executor with nothing left open. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from prominence.core import commandline, units
from prominence.core.files import Artifact, file_name, is_web_address
from prominence.core.job import JobSpec, Runtime, Task
from prominence.core.plan import ExecutionPlan, PlannedArtifact, PlannedInput, PlannedMount, PlannedTask
from prominence.restapi.translate.needs import needs
from prominence.restapi.translate.site import Site

HOME = "/home/user"
"""The job's home in its containers."""

_APPTAINER_FIRST = ("apptainer", "docker", "podman")
_DOCKER_FIRST = ("docker", "podman", "apptainer")
_PODMAN_FIRST = ("podman", "docker", "apptainer")

RUNTIMES: dict[Runtime | None, tuple[str, ...]] = {
    None: _APPTAINER_FIRST,
    "apptainer": _APPTAINER_FIRST,
    "singularity": _APPTAINER_FIRST,
    "docker": _DOCKER_FIRST,
    "udocker": _DOCKER_FIRST,
    "podman": _PODMAN_FIRST,
}
"""By the runtime that a task wishes for. The old words mean any that can run the image."""

_WITH_GPUS = ("apptainer",)
"""Runs as the job's own account, and so shows a container no device that the worker keeps from the job."""


def plan(spec: JobSpec, uid: str, site: Site) -> ExecutionPlan:
    """The orders for this job."""
    needed = needs(spec.resources, site)
    return ExecutionPlan(
        job=uid,
        name=spec.name,
        tasks=tuple(_task(task, RUNTIMES[task.runtime] if needed.gpus is None else _WITH_GPUS) for task in spec.tasks),
        cpus=needed.cpus,
        most_cpus=needed.most_cpus,
        memory_mib=needed.memory_mib,
        memory_mib_per_cpu=needed.memory_mib_per_cpu,
        gpus=needed.gpus.count if needed.gpus is not None else 0,
        task_retries=spec.policies.maximumTaskRetries,
        goes_on=spec.policies.ignoreTaskFailures,
        forgives=spec.policies.reportJobSuccessOnTaskFailure,
        walltime_s=site.walltime_s(spec),
        grace_s=site.grace_s,
        api=site.api if uses_objects(spec) else "",
        disk_mib=units.mib_needed(needed.disk_kib),
        inputs=tuple(PlannedInput(file.filename, file.content, file.executable) for file in spec.inputs),
        artifacts=tuple(_artifact(artifact) for artifact in spec.artifacts),
        mounts=_mounts(spec.artifacts),
        output_files=spec.outputFiles,
        output_dirs=spec.outputDirs,
        pull_limit_s=site.pull_limit_s,
    )


def uses_objects(spec: JobSpec) -> bool:
    """Whether the job reads or writes objects, and so needs a token."""
    reads = any(not is_web_address(artifact.url) for artifact in spec.artifacts)
    return reads or bool(spec.outputFiles or spec.outputDirs)


def _mounts(artifacts: Sequence[Artifact]) -> tuple[PlannedMount, ...]:
    """Several artifacts may come into one directory."""
    points = dict.fromkeys(artifact.mountpoint for artifact in artifacts if artifact.mountpoint is not None)
    return tuple(PlannedMount(directory, target) for directory, _, target in (point.partition(":") for point in points))


def _artifact(artifact: Artifact) -> PlannedArtifact:
    is_object = not is_web_address(artifact.url)
    return PlannedArtifact(artifact.url, file_name(artifact.url), is_object, artifact.executable)


def _task(task: Task, runtimes: tuple[str, ...]) -> PlannedTask:
    return PlannedTask(
        image=task.image.removeprefix("docker://"),
        runtimes=runtimes,
        command=commandline.split(task.cmd) if task.cmd is not None else (),
        env=dict(task.env),
        workdir=posixpath.join(HOME, task.workdir) if task.workdir is not None else HOME,
    )
