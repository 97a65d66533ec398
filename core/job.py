"""JobSpec: a job as a user describes it. Unknown fields are refused and all mistakes reported at once.

The field names are those of the public API, which existed before this implementation; hence camel case where the
wire has it, and memory and disk in GB, walltime in minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from prominence.core import images
from prominence.core.files import MOST_MOUNTS, Artifact, HomePath, InputFile, Passed, Several
from prominence.core.notifications import Notifications
from prominence.core.policies import Policies
from prominence.core.resources import Resources
from prominence.core.storage import Storage, or_empty, without_empty
from prominence.core.task import MPI, Task
from prominence.core.validation import WHOLE, Spelling, Strict

MOST_TASKS = 1000
MOST_SIDECARS = 16
MOST_LABELS = 100
MOST_MEMBERS = 10**6
"""Of an array, whatever a site allows."""


def _at_most(most: int, what: str) -> Callable[[Any], Any]:
    """Looked at before what is in it."""

    def check(value: Any) -> Any:
        if isinstance(value, list | tuple | dict) and len(value) > most:
            raise ValueError(f"must be at most {most} {what}, not {len(value)}")
        return value

    return check


Name = Annotated[
    str,
    StringConstraints(max_length=512),
    Spelling(r"[A-Za-z0-9_./ -]*", "may hold letters (a to z), digits, spaces and _ . / - only"),
]
LabelKey = Annotated[
    str,
    StringConstraints(max_length=512),
    Spelling(r"[A-Za-z0-9]+", "the name of a label must be letters (a to z) and digits only, at least one"),
]
LabelValue = Annotated[
    str,
    StringConstraints(max_length=512),
    Spelling(r"[A-Za-z0-9_./-]+", "must be letters (a to z), digits and _ . / - only, at least one"),
]
Group = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256),
    Spelling(r"[^\x00-\x1f\x7f-\x9f]+", "must be the whole name of one of your groups"),
]
Labels = Annotated[
    dict[LabelKey, LabelValue],
    BeforeValidator(_at_most(MOST_LABELS, "labels")),
    Field(json_schema_extra={"maxProperties": MOST_LABELS}),
]


class JobSpec(Strict):
    """A job: tasks run one after the other on one worker, in one scratch directory."""

    ADDED: ClassVar[frozenset[str]] = frozenset({"group"})

    name: Name = Field(default="", description="A name for people.")
    labels: Labels = Field(default_factory=dict, description="Labels to find it by.")
    tasks: Annotated[tuple[Task, ...], BeforeValidator(_at_most(MOST_TASKS, "tasks"))] = Field(
        strict=False, description="Container runs, in order.", json_schema_extra={"minItems": 1, "maxItems": MOST_TASKS}
    )
    resources: Resources = Field(description="What it needs.")
    policies: Policies = Field(default_factory=Policies, description="How it is treated.")
    notifications: Notifications = Field(default=(), strict=False, description="Messages to its user.")
    group: Group | None = Field(
        default=None,
        description="Which of your groups the job is charged to, by its whole name; absent: the site's default.",
    )

    inputs: Several[InputFile] = Field(default=(), strict=False, description="Small files that come with the job.")
    artifacts: Several[Artifact] = Field(default=(), strict=False, description="Files to fetch before the tasks start.")
    outputFiles: Several[HomePath] = Field(
        default=(),
        strict=False,
        description="Files to keep, by paths in the job's home; may hold * and ?: all that match are kept.",
    )
    outputDirs: Several[HomePath] = Field(
        default=(), strict=False, description="Directories to keep, each as a .tgz, by paths in the job's home."
    )
    storage: Storage | None = Field(
        default=None,
        description="Storage of your own that the tasks see as a directory. They run with Apptainer.",
        json_schema_extra=or_empty,
    )

    _without_empty_storage = model_validator(mode="before")(without_empty)

    # Not by min_length: that would complain of an empty list, too, where the tasks in it are wrong.
    @field_validator("tasks")
    @classmethod
    def _has_one(cls, tasks: tuple[Task, ...]) -> tuple[Task, ...]:
        if not tasks:
            raise ValueError("at least one task is needed")
        sidecars = sum(task.type == "sidecar" for task in tasks)
        if sidecars == len(tasks):
            raise ValueError("at least one task is needed that is no sidecar")
        if sidecars > MOST_SIDECARS:
            raise ValueError(f"at most {MOST_SIDECARS} can be sidecars")
        return tasks

    @property
    def fetched(self) -> tuple[Artifact, ...]:
        """Of its artifacts those with an address, or the name of an object."""
        return tuple(one for one in self.artifacts if isinstance(one, Artifact))

    @property
    def passed(self) -> tuple[Passed, ...]:
        """Of its artifacts those that come from other jobs; none but jobs of workflows have such."""
        return tuple(one for one in self.artifacts if isinstance(one, Passed))

    def as_written(self) -> dict[str, Any]:
        """The job as its user writes it, with its secrets: to be sent, and shown to nobody."""
        written = self.model_dump(mode="json", exclude_unset=True)
        for task, fields in zip(self.tasks, written["tasks"], strict=True):
            if task.imagePullCredential is not None:
                fields["imagePullCredential"]["token"] = task.imagePullCredential.token
        if self.storage is not None:
            written["storage"] = self.storage.as_written()
        return written

    @model_validator(mode="after")
    def _can_be_launched(self) -> JobSpec:
        cpus = self.resources.cpus
        for number, task in enumerate(self.tasks):
            if task.type in MPI:
                task.check_command_of_mpi(f"tasks[{number}].cmd")
            if cpus is not None and task.procsPerNode is not None and task.procsPerNode > cpus:
                raise ValueError(f"tasks[{number}].procsPerNode: must be at most resources.cpus, {cpus}")
        return self

    @model_validator(mode="after")
    def _without_a_container_nothing_is_mounted(self) -> JobSpec:
        for number, task in enumerate(self.tasks):
            if task.runtime == "process":
                if self.resources.gpus is not None:
                    raise ValueError(f'tasks[{number}].runtime: "process" gives no GPUs')
                if any(one.mountpoint is not None for one in self.artifacts):
                    raise ValueError(f'tasks[{number}].runtime: with "process" no artifact can have a mountpoint')
                if self.storage is not None:
                    raise ValueError(f'tasks[{number}].runtime: with "process" no storage can be mounted; leave it out')
        return self

    @model_validator(mode="after")
    def _can_have_nodes(self) -> JobSpec:
        if self.resources.number_of_nodes == 1:
            return self
        for field in ("cpusRange", "cpusOptions"):
            if getattr(self.resources, field) is not None:
                raise ValueError(f"resources.{field}: is for jobs of one node; all of several are alike")
        if self.policies.checkpoint is not None:
            raise ValueError("policies.checkpoint: is for jobs of one node")
        if self.storage is not None:
            raise ValueError("storage: is for jobs of one node")
        for number, task in enumerate(self.tasks):
            if task.type in MPI and (task.app is not None or images.kind(task.image) is images.Kind.SIF):
                raise ValueError(
                    f"tasks[{number}]: on several nodes an MPI's tasks run with Docker, which cannot run it"
                )
            if task.type in MPI and task.runtime == "process":
                raise ValueError(f'tasks[{number}].runtime: on several nodes "process" is not for an MPI\'s tasks')
            if task.type in MPI and self.resources.gpus is not None:
                raise ValueError(f"tasks[{number}]: on several nodes an MPI's tasks run with Docker, without GPUs")
        return self

    @model_validator(mode="after")
    def _output_has_a_place(self) -> JobSpec:
        mounted = tuple(f"{one.mountpoint.partition(':')[2]}/" for one in self.artifacts if one.mountpoint is not None)
        for number, task in enumerate(self.tasks):
            if task.stdout is not None and task.stdout.startswith("/") and not task.stdout.startswith(mounted):
                raise ValueError(f"tasks[{number}].stdout: nothing that the job fetches is mounted there")
        return self

    @model_validator(mode="after")
    def _storage_has_a_place(self) -> JobSpec:
        if self.storage is None:
            return self
        path = f"{self.storage.mountpoint}/"
        for other in (f"{one.mountpoint.partition(':')[2]}/" for one in self.artifacts if one.mountpoint is not None):
            if path.startswith(other) or other.startswith(path):
                raise ValueError(f"storage.mountpoint: an artifact is mounted at {other[:-1]}")
        return self

    @model_validator(mode="after")
    def _nothing_is_there_twice(self) -> JobSpec:
        _check_distinct("inputs", [file.filename for file in self.inputs])
        mounts = {artifact.mountpoint for artifact in self.artifacts if artifact.mountpoint is not None}
        if len(mounts) > MOST_MOUNTS:
            raise ValueError(f"artifacts: at most {MOST_MOUNTS} directories can be mounted")
        _check_distinct("artifacts: the directory", [mount.partition(":")[0] for mount in mounts])
        _check_distinct("artifacts: the path", [mount.partition(":")[2] for mount in mounts])
        _check_distinct("outputs", [*self.outputFiles, *(f"{path}.tgz" for path in self.outputDirs)])
        _check_distinct("notifications", [f"{one.type} at {one.event}" for one in self.notifications])
        return self


class ArraySpec(Strict):
    """Many equal jobs. Each finds its place among them, counted from 0, in its tasks' environment."""

    ADDED: ClassVar[frozenset[str]] = frozenset({"count", "job"})

    count: Annotated[int, Field(ge=1, le=MOST_MEMBERS), WHOLE] = Field(description="How many.")
    job: JobSpec = Field(description="What each of them is.")

    @field_validator("job")
    @classmethod
    def _has_one_node(cls, job: JobSpec) -> JobSpec:
        if job.resources.number_of_nodes > 1:
            raise ValueError("resources.nodes: a member of an array has one node")
        return job


def _check_distinct(what: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what}: {name} is there twice")
        seen.add(name)
