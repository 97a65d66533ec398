"""What is told of jobs, of their own or members of arrays."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from prominence.core.reasons import Reason
from prominence.core.states import Status
from prominence.restapi.answers.asked import (
    ArtifactShown,
    InputShown,
    NotificationShown,
    OutputShown,
    PassedShown,
    PoliciesShown,
    ResourcesShown,
    StorageShown,
    TaskShown,
)
from prominence.restapi.answers.execution import AttemptShown, Execution
from prominence.restapi.answers.words import Events


class JobMade(TypedDict):
    """A job that was submitted."""

    id: Annotated[int, Field(ge=1, description="Its number.")]


class _Told(TypedDict):
    name: NotRequired[Annotated[str, Field(description="A name for people.")]]
    status: NotRequired[Annotated[Status, Field(description="Where the job is.")]]
    statusReason: NotRequired[Annotated[str, Field(description="Why, for people.")]]
    statusReasonCode: NotRequired[Annotated[Reason, Field(description="Why, for programs.")]]
    exitCode: NotRequired[Annotated[int, Field(description="Of its last task, or the one that failed.")]]
    group: NotRequired[Annotated[str, Field(description="The one it is charged to.")]]
    labels: NotRequired[Annotated[dict[str, str], Field(description="As its user has given them.")]]
    workflow: NotRequired[Annotated[int, Field(description="The one that it is part of.")]]
    parameters: NotRequired[
        Annotated[dict[str, str | int | float], Field(description="Of a workflow's job, in its instance.")]
    ]
    tasks: NotRequired[Annotated[list[TaskShown], Field(description="What is run.")]]
    events: NotRequired[Annotated[Events, Field(description="When what happened.")]]
    resources: NotRequired[Annotated[ResourcesShown, Field(description="What the job asks for.")]]
    policies: NotRequired[Annotated[PoliciesShown, Field(description="How it is treated, as far as it says so.")]]
    notifications: NotRequired[Annotated[list[NotificationShown], Field(description="Who is told of its end.")]]
    priority: NotRequired[Annotated[int, Field(description="Among its user's own jobs.")]]
    requestId: NotRequired[Annotated[str, Field(description="Of the request that has submitted it; logs have it.")]]
    execution: NotRequired[Annotated[Execution, Field(description="Where and how it ran.")]]
    attempts: NotRequired[Annotated[list[AttemptShown], Field(description="Each start of it.")]]
    inputs: NotRequired[Annotated[list[InputShown], Field(description="Small files that came with it.")]]
    artifacts: NotRequired[Annotated[list[ArtifactShown | PassedShown], Field(description="What it fetches.")]]
    storage: NotRequired[Annotated[StorageShown, Field(description="Storage of its user's that the tasks see.")]]
    outputFiles: NotRequired[Annotated[list[OutputShown], Field(description="What it keeps.")]]
    outputDirs: NotRequired[Annotated[list[OutputShown], Field(description="Directories that it keeps.")]]


class JobShown(_Told):
    """A job. With `fields` there is what was asked for; without detail nothing below `events`."""

    id: Annotated[int, Field(description="Its number.")]


class MemberShown(_Told):
    """A member of an array, as a job is shown."""

    id: Annotated[
        str, Field(pattern=r"^[1-9][0-9]*\.[0-9]+$", description="The array's number, a point, and its place.")
    ]
    array: Annotated[int, Field(description="The number of its array.")]
