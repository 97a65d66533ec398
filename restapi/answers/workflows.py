"""What is told of workflows."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from prominence.core.reasons import Reason
from prominence.core.states import Status
from prominence.restapi.answers.words import Events


class WorkflowMade(TypedDict):
    """A workflow that was submitted."""

    id: Annotated[int, Field(ge=1, description="Its number.")]


class Progress(TypedDict):
    """How many jobs of a workflow are where, all instances counted."""

    total: int
    done: int
    failed: int
    queued: Annotated[int, Field(description="In the queue: they wait for a worker, or run.")]
    waiting: Annotated[int, Field(description="For others, or for their turn.")]


class WaitShown(TypedDict):
    """A job of the workflow that has to be done before. of: how many of its instances."""

    job: str
    of: Annotated[int, Field(ge=1)]
    done: Annotated[int, Field(ge=0)]
    failed: Annotated[int, Field(ge=0, description="That will not be done in this run.")]


class NodeShown(TypedDict):
    """An instance of a workflow's job; without id and events as long as it has not been submitted."""

    job: Annotated[str, Field(description="The job's name.")]
    status: Status
    instance: NotRequired[
        Annotated[int, Field(ge=0, description="Which of the job's instances, where a factory makes them.")]
    ]
    id: NotRequired[Annotated[int, Field(ge=1, description="Its number among all jobs.")]]
    statusReason: NotRequired[Annotated[str, Field(description="Why, for people.")]]
    statusReasonCode: NotRequired[Annotated[Reason, Field(description="Why, for programs.")]]
    waitsFor: NotRequired[list[WaitShown]]
    exitCode: NotRequired[int]
    parameters: NotRequired[dict[str, str | int | float]]
    events: NotRequired[Events]


_AtTheEnd = TypedDict("_AtTheEnd", {"onFailure": NotRequired[dict[str, Any]], "finally": NotRequired[dict[str, Any]]})


class WorkflowShown(_AtTheEnd):
    """A workflow; its jobs, what is said of them all and its policies in detail only, as its user wrote them."""

    id: int
    name: str
    status: Status
    progress: Progress
    events: Events
    statusReason: NotRequired[Annotated[str, Field(description="Why, for people.")]]
    statusReasonCode: NotRequired[Annotated[Reason, Field(description="Why, for programs.")]]
    group: NotRequired[Annotated[str, Field(description="The one its jobs are charged to.")]]
    labels: NotRequired[dict[str, str]]
    jobs: NotRequired[list[dict[str, Any]]]
    dependencies: NotRequired[dict[str, list[str]]]
    factories: NotRequired[list[dict[str, Any]]]
    policies: NotRequired[dict[str, Any]]
    notifications: NotRequired[list[dict[str, Any]]]
