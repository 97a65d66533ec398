"""JobSpec -> ExecutionPlan: what the user asked for, as orders to the executor with nothing left open. Pure."""

from __future__ import annotations

import posixpath

from prominence.core import commandline, images, units
from prominence.core.files import Artifact, file_name, is_web_address
from prominence.core.job import JobSpec
from prominence.core.plan import (
    ExecutionPlan,
    PlannedArtifact,
    PlannedCheckpoint,
    PlannedImage,
    PlannedInput,
    PlannedMount,
    PlannedPassed,
    PlannedStorage,
    PlannedTask,
)
from prominence.core.policies import Checkpoint
from prominence.core.storage import S3, B2Drop, OneData, Storage, WebDav
from prominence.core.task import MPI, Runtime, Task
from prominence.restapi.translate.needs import needs
from prominence.restapi.translate.site import Site

HOME = "/home/user"
"""The job's home in its containers."""

_APPTAINER_FIRST = ("apptainer", "docker", "podman", "udocker")
_DOCKER_FIRST = ("docker", "podman", "apptainer", "udocker")
_PODMAN_FIRST = ("podman", "docker", "apptainer", "udocker")

BARE = ("process",)
"""No container at all."""

RUNTIMES: dict[Runtime | None, tuple[str, ...]] = {
    None: _APPTAINER_FIRST,
    "apptainer": _APPTAINER_FIRST,
    "singularity": _APPTAINER_FIRST,
    "docker": _DOCKER_FIRST,
    "udocker": _DOCKER_FIRST,
    "podman": _PODMAN_FIRST,
    "process": BARE,
}
"""By the runtime that a task wishes for. The old words mean any that can run the image."""

ALL_RUNTIMES = frozenset(_APPTAINER_FIRST)

_WITH_GPUS = ("apptainer",)
"""Runs as the job's own account, and so shows a container no device that the worker keeps from the job."""

_WITH_APPS = ("apptainer",)

_WITH_STORAGE = ("apptainer",)
"""Runs where the storage is mounted, which is in nobody's view but the job's. The engine's containers do not."""

B2DROP = "https://b2drop.eudat.eu/remote.php/webdav/"

_BETWEEN_NODES = ("docker",)
"""Its containers can be let to other nodes and nowhere else: they need not be the job's own account to the network."""

_OF_FILES = {images.Kind.SIF: ("apptainer",), images.Kind.ARCHIVE: ("apptainer", "docker", "udocker")}
"""What can run images that are files."""


def plan(spec: JobSpec, uid: str, site: Site, passed: tuple[PlannedPassed, ...] = ()) -> ExecutionPlan:
    """The orders for this job. passed: what it is passed by other jobs of its workflow."""
    needed = needs(spec.resources, site)
    return ExecutionPlan(
        job=uid,
        name=spec.name,
        tasks=tuple(_task(task, runtimes(task, spec)) for task in spec.tasks),
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
        farewell_s=site.farewell_s,
        api=site.api if uses_objects(spec) else "",
        disk_mib=units.mib_needed(needed.disk_kib),
        inputs=tuple(PlannedInput(file.filename, file.content, file.executable) for file in spec.inputs),
        artifacts=tuple(_artifact(artifact) for artifact in spec.fetched),
        passed=passed,
        mounts=_mounts(spec, any(one.may_be_missing for one in passed)),
        checkpoint=_checkpoint(spec.policies.checkpoint),
        storage=_storage(spec.storage) if spec.storage is not None else None,
        output_files=spec.outputFiles,
        output_dirs=spec.outputDirs,
        pull_limit_s=site.pull_limit_s,
        patience_s=site.patience_s,
        live_s=site.live_s,
        nodes=spec.resources.number_of_nodes,
        everywhere=spec.policies.runSerialTasksOnAllNodes,
        retries=spec.policies.maximumRetries,
    )


def runtimes(task: Task, spec: JobSpec) -> tuple[str, ...]:
    """Those that can run this task of the job, best first."""
    if reaches_other_nodes(task, spec):
        return _BETWEEN_NODES
    able = [
        RUNTIMES[task.runtime],
        _OF_FILES.get(images.kind(task.image), RUNTIMES[task.runtime]),
        *([_WITH_APPS] if task.app is not None else []),
        *([_WITH_GPUS] if spec.resources.gpus is not None else []),
        *([_WITH_STORAGE] if spec.storage is not None else []),
    ]
    return tuple(name for name in RUNTIMES[task.runtime] if all(name in some for some in able))


def reaches_other_nodes(task: Task, spec: JobSpec) -> bool:
    """Whether this task's containers are to reach each other, on several workers."""
    return spec.resources.number_of_nodes > 1 and task.type in MPI


def uses_objects(spec: JobSpec) -> bool:
    """Whether the job reads or writes objects, and so needs a token."""
    reads = bool(spec.passed) or any(not is_web_address(artifact.url) for artifact in spec.fetched)
    reads = reads or any(images.is_object(task.image) for task in spec.tasks)
    return reads or bool(spec.outputFiles or spec.outputDirs) or spec.policies.checkpoint is not None


def has_credentials(spec: JobSpec) -> bool:
    """Whether an image of the job comes from a private registry."""
    return any(task.imagePullCredential is not None for task in spec.tasks)


def _mounts(spec: JobSpec, may_be_missing: bool) -> tuple[PlannedMount, ...]:
    """Several artifacts may come into one directory. may_be_missing: whether what other jobs pass may."""
    points = dict.fromkeys(artifact.mountpoint for artifact in spec.artifacts if artifact.mountpoint is not None)
    fetched = {artifact.mountpoint for artifact in spec.fetched}
    parts = ((*point.partition(":"), may_be_missing and point not in fetched) for point in points)
    return tuple(PlannedMount(directory, target, missing) for directory, _, target, missing in parts)


def _artifact(artifact: Artifact) -> PlannedArtifact:
    is_object = not is_web_address(artifact.url)
    return PlannedArtifact(artifact.url, file_name(artifact.url), is_object, artifact.executable)


def _checkpoint(policy: Checkpoint | None) -> PlannedCheckpoint | None:
    return None if policy is None else PlannedCheckpoint(policy.path, policy.interval * 60)


def _storage(storage: Storage) -> PlannedStorage:
    kind, settings = _described(storage)
    directory = storage.directory.strip("/") if storage.directory is not None else ""
    given = {name: value for name, value in settings.items() if value is not None}
    return PlannedStorage(kind, storage.mountpoint, directory, given)


def _described(storage: Storage) -> tuple[str, dict[str, str | None]]:
    """Its kind on the worker, and what is said of it, without its secret."""
    match storage.section:
        case WebDav() as one:
            return "webdav", {"url": one.url, "username": one.username}
        case B2Drop() as one:
            return "webdav", {"url": B2DROP, "username": one.app_username, "vendor": "nextcloud"}
        case S3() as one:
            prefix = one.prefix.strip("/") if one.prefix is not None else None
            return "s3", {
                **{"endpoint": one.endpoint, "bucket": one.bucket, "prefix": prefix},
                **{"access_key": one.accessKey, "region": one.region},
            }
        case OneData() as one:
            return "onedata", {"provider": one.provider, "options": one.options}


def _task(task: Task, runtimes: tuple[str, ...]) -> PlannedTask:
    return PlannedTask(
        image=images.shown(task.image).removeprefix("docker://"),
        runtimes=runtimes,
        command=commandline.split(task.cmd) if task.cmd is not None else (),
        env=dict(task.env),
        workdir=posixpath.join(HOME, task.workdir) if task.workdir is not None else HOME,
        private=task.imagePullCredential is not None,
        file=_file(task),
        beside=task.type == "sidecar",
        mpi=task.type if task.type in MPI else None,
        processes=task.procsPerNode,
        app=task.app or "",
        stdout=posixpath.join(HOME, task.stdout) if task.stdout is not None else "",
    )


def _file(task: Task) -> PlannedImage | None:
    if images.kind(task.image) is images.Kind.REGISTRY:
        return None
    return PlannedImage(task.image, images.is_object(task.image), task.imageSha256)
