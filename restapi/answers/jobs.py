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
    name: NotRequired[str]
    status: NotRequired[Status]
    statusReason: NotRequired[Annotated[str, Field(description="Why, for people.")]]
    statusReasonCode: NotRequired[Annotated[Reason, Field(description="Why, for programs.")]]
    exitCode: NotRequired[int]
    group: NotRequired[Annotated[str, Field(description="The one it is charged to.")]]
    labels: NotRequired[dict[str, str]]
    workflow: NotRequired[Annotated[int, Field(description="The one that it is part of.")]]
    parameters: NotRequired[
        Annotated[dict[str, str | int | float], Field(description="Of a workflow's job, in its instance.")]
    ]
    tasks: NotRequired[list[TaskShown]]
    events: NotRequired[Events]
    resources: NotRequired[ResourcesShown]
    policies: NotRequired[PoliciesShown]
    notifications: NotRequired[list[NotificationShown]]
    priority: NotRequired[int]
    requestId: NotRequired[Annotated[str, Field(description="Of the request that has submitted it; logs have it.")]]
    execution: NotRequired[Execution]
    attempts: NotRequired[list[AttemptShown]]
    inputs: NotRequired[list[InputShown]]
    artifacts: NotRequired[list[ArtifactShown | PassedShown]]
    storage: NotRequired[StorageShown]
    outputFiles: NotRequired[list[OutputShown]]
    outputDirs: NotRequired[list[OutputShown]]


class JobShown(_Told):
    """A job. With `fields` there is what was asked for; without detail nothing below `events`."""

    id: int


class MemberShown(_Told):
    """A member of an array, as a job is shown."""

    id: Annotated[str, Field(pattern=r"^[1-9][0-9]*\.[0-9]+$")]
    array: int
