"""WorkflowSpec: jobs, in which order they run, and how many instances of each, as a user describes it.

A job that a factory names has an instance for each of the factory's sets of values; every other job is one instance
without values. What cannot be seen in one field alone is looked at by `core.workflow_problems`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator, model_validator

from prominence.core import images
from prominence.core.factories import Factory, Repeat, Sweep, Zip
from prominence.core.files import FetchedOrPassed, Several
from prominence.core.job import MOST_TASKS, Group, JobSpec, Labels, Name
from prominence.core.notifications import WorkflowNotifications
from prominence.core.policies import PlacementPolicy
from prominence.core.storage import Storage, or_empty, without_empty
from prominence.core.substitution import referred
from prominence.core.task import Task
from prominence.core.validation import WHOLE, Strict

MOST_JOBS = 1000
MOST_FACTORIES = 1000
MOST_INSTANCES = 10**6
"""Of all jobs of a workflow together, whatever a site allows."""


def _at_most(most: int, what: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if isinstance(value, list | tuple | dict) and len(value) > most:
            raise ValueError(f"must be at most {most} {what}, not {len(value)}")
        return value

    return BeforeValidator(check)


class TaskOfMany(Task):
    """A task whose image may hold parameters: what it is then is known of each instance alone."""

    image: Annotated[str, WithJsonSchema({"type": "string", "minLength": 1, "maxLength": images.LONGEST})] = Field(
        max_length=images.LONGEST,
        description="Container image, as in a job of its own; it may hold parameters.",
    )

    @field_validator("image")
    @classmethod
    def _can_be_had(cls, image: str) -> str:
        if not referred([image]) and (found := images.problem(image)):
            raise ValueError(found)
        return image


class JobOfMany(JobSpec):
    """A job of a workflow."""

    name: Annotated[Name, Field(min_length=1)] = Field(description="A name that no other job of the workflow has.")
    tasks: Annotated[tuple[TaskOfMany, ...], _at_most(MOST_TASKS, "tasks")] = Field(
        strict=False, description="Container runs, in order.", json_schema_extra={"minItems": 1, "maxItems": MOST_TASKS}
    )
    # Whoever looks at a job's artifacts by their addresses asks for those that are `fetched`.
    artifacts: Several[FetchedOrPassed] = Field(  # type: ignore[assignment]
        default=(),
        strict=False,
        description="Files to fetch before the tasks start, and outputs of other jobs of the workflow.",
    )


class WorkflowPolicies(Strict):
    """How a workflow is treated. What its jobs say themselves counts for them."""

    ADDED: ClassVar[frozenset[str]] = frozenset({"maximumIdle", "maximumRunning", "priority"})

    maximumRetries: Annotated[int, Field(ge=0, le=10), WHOLE] = Field(
        default=0, description="Of each job that says nothing of it: how often it runs again when it has failed."
    )
    maximumReruns: Annotated[int, Field(ge=0, le=10), WHOLE] = Field(
        default=0,
        description="How often an instance that has failed for good is submitted once more, as a new job.",
    )
    maximumIdle: Annotated[int, Field(ge=1, le=MOST_INSTANCES), WHOLE] | None = Field(
        default=None, description="How many of its jobs wait in the queue at once; absent: as many as the site allows."
    )
    maximumRunning: Annotated[int, Field(ge=1, le=MOST_INSTANCES), WHOLE] | None = Field(
        default=None, description="How many of its jobs run or wait in the queue at once; absent: any number."
    )
    priority: Annotated[int, Field(ge=0, le=2**31 - 1), WHOLE] = Field(
        default=0, description="Of each job that says nothing of it."
    )
    leaveInQueue: bool = Field(
        default=False,
        description="Whether the workflow stays in the queue after its end, until it is removed; 90 days at most.",
    )
    placement: PlacementPolicy | None = Field(
        default=None, description="Where its jobs may run and had rather run; of each that says nothing of it."
    )


class WorkflowSpec(Strict):
    """Jobs, some of which wait for others, and some of which run many times with different parameters."""

    model_config = ConfigDict(serialize_by_alias=True)
    ADDED: ClassVar[frozenset[str]] = frozenset({"onFailure", "last", "storage", "group"})

    name: Name = Field(default="", description="A name for people.")
    labels: Labels = Field(default_factory=dict, description="Labels to find it by.")
    jobs: Annotated[tuple[JobOfMany, ...], _at_most(MOST_JOBS, "jobs")] = Field(
        strict=False, description="Each with a name of its own.", json_schema_extra={"minItems": 1}
    )
    dependencies: Annotated[
        dict[str, Annotated[tuple[str, ...], _at_most(MOST_JOBS, "jobs"), Field(strict=False)]],
        _at_most(MOST_JOBS, "jobs"),
    ] = Field(
        default_factory=dict,
        description="By the name of a job those of the jobs that wait for it. An instance waits for all instances.",
    )
    factories: Annotated[tuple[Factory, ...], _at_most(MOST_FACTORIES, "factories")] = Field(
        default=(), strict=False, description="Which jobs have many instances, and with which values."
    )
    onFailure: JobOfMany | None = Field(
        default=None, description="A job that runs after all others when some of them have failed."
    )
    last: JobOfMany | None = Field(
        default=None,
        alias="finally",
        description="A job that runs after all others, however they have ended; not beside onFailure.",
    )
    storage: Storage | None = Field(
        default=None,
        description="Storage of your own, as of a job: for each of its jobs that says nothing of storage.",
        json_schema_extra=or_empty,
    )
    policies: WorkflowPolicies = Field(default_factory=WorkflowPolicies, description="How it is treated.")
    notifications: WorkflowNotifications = Field(default=(), strict=False, description="Messages to its user.")
    group: Group | None = Field(
        default=None,
        description="Which of your groups its jobs are charged to, by its whole name; absent: the site's default.",
    )

    _without_empty_storage = model_validator(mode="before")(without_empty)

    @field_validator("jobs")
    @classmethod
    def _has_one(cls, jobs: tuple[JobOfMany, ...]) -> tuple[JobOfMany, ...]:
        if not jobs:
            raise ValueError("at least one job is needed")
        return jobs

    def factory_of(self, job: str) -> Sweep | Zip | Repeat | None:
        """Of the job with this name."""
        return next((factory for factory in self.factories if job in factory.jobs), None)

    @property
    def at_the_end(self) -> dict[str, JobOfMany]:
        """What runs after all others, by the field that it is in. Of two one is refused."""
        found = {"onFailure": self.onFailure, "finally": self.last}
        return {field: job for field, job in found.items() if job is not None}

    @property
    def every(self) -> tuple[JobOfMany, ...]:
        """All jobs, also those that run at the end, by their numbers."""
        return (*self.jobs, *self.at_the_end.values())

    def path_of(self, place: int) -> str:
        """Where the job of this number is written."""
        return f"jobs[{place}]" if place < len(self.jobs) else list(self.at_the_end)[place - len(self.jobs)]

    def place_of(self, job: str) -> int | None:
        """The number of the job with this name, counted from 0; None when there is none."""
        return next((place for place, one in enumerate(self.every) if one.name == job), None)

    def counts(self) -> tuple[int, ...]:
        """How many instances each job has."""
        counts = {job: factory.count for factory in self.factories for job in factory.jobs}
        return (*(counts.get(job.name, 1) for job in self.jobs), *(1 for _ in self.at_the_end))

    def children(self) -> dict[str, tuple[str, ...]]:
        """By the name of a job those that wait for it: as the dependencies say, or since it passes them something."""
        found = {parent: dict.fromkeys(children) for parent, children in self.dependencies.items()}
        for job in self.jobs:
            for passed in job.passed:
                found.setdefault(passed.job, {})[job.name] = None
        return {parent: tuple(children) for parent, children in found.items()}

    def spread(self) -> WorkflowSpec:
        """The same with its storage said of its jobs instead. Whether a job can have it is not looked at."""
        if self.storage is None:
            return self

        def with_it(_: int, job: JobOfMany) -> JobOfMany:
            return job if "storage" in job.model_fields_set else job.model_copy(update={"storage": self.storage})

        changed = self.with_jobs(with_it)
        fields = {name: getattr(changed, name) for name in WorkflowSpec.model_fields}
        return WorkflowSpec.model_construct(self.model_fields_set - {"storage"}, **{**fields, "storage": None})

    def as_written(self) -> dict[str, Any]:
        """The workflow as its user writes it, with its secrets: to be sent, and shown to nobody."""
        written = self.model_dump(mode="json", exclude_unset=True)
        written["jobs"] = [job.as_written() for job in self.jobs]
        return {**written, **{field: job.as_written() for field, job in self.at_the_end.items()}}

    def with_jobs(self, change: Callable[[int, JobOfMany], JobOfMany]) -> WorkflowSpec:
        """The workflow with every job changed; change: is told a job's number."""
        changed = [change(place, job) for place, job in enumerate(self.every)]
        ends = dict(zip(self.at_the_end, changed[len(self.jobs) :], strict=True))
        update: dict[str, object] = {"last" if field == "finally" else field: job for field, job in ends.items()}
        return self.model_copy(update={**update, "jobs": tuple(changed[: len(self.jobs)])})
