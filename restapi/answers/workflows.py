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

    total: Annotated[int, Field(description="All.")]
    done: Annotated[int, Field(description="With success.")]
    failed: Annotated[int, Field(description="For good.")]
    queued: Annotated[int, Field(description="In the queue: they wait for a worker, or run.")]
    waiting: Annotated[int, Field(description="For others, or for their turn.")]


class WaitShown(TypedDict):
    """A job of the workflow that has to be done before. of: how many of its instances."""

    job: Annotated[str, Field(description="By its name.")]
    of: Annotated[int, Field(ge=1, description="How many instances it has.")]
    done: Annotated[int, Field(ge=0, description="Of them, with success.")]
    failed: Annotated[int, Field(ge=0, description="That will not be done in this run.")]


class NodeShown(TypedDict):
    """An instance of a workflow's job; without id and events as long as it has not been submitted."""

    job: Annotated[str, Field(description="The job's name.")]
    status: Annotated[Status, Field(description="Where it is.")]
    instance: NotRequired[
        Annotated[int, Field(ge=0, description="Which of the job's instances, where a factory makes them.")]
    ]
    id: NotRequired[Annotated[int, Field(ge=1, description="Its number among all jobs.")]]
    statusReason: NotRequired[Annotated[str, Field(description="Why, for people.")]]
    statusReasonCode: NotRequired[Annotated[Reason, Field(description="Why, for programs.")]]
    waitsFor: NotRequired[Annotated[list[WaitShown], Field(description="What has to be done before.")]]
    exitCode: NotRequired[Annotated[int, Field(description="Of its last task, or the one that failed.")]]
    parameters: NotRequired[Annotated[dict[str, str | int | float], Field(description="Its values, by their names.")]]
    events: NotRequired[Annotated[Events, Field(description="When what happened.")]]


_Last = Annotated[dict[str, Any], Field(description="The job that runs at the end, as its user wrote it.")]
_AtTheEnd = TypedDict("_AtTheEnd", {"onFailure": NotRequired[_Last], "finally": NotRequired[_Last]})


class WorkflowShown(_AtTheEnd):
    """A workflow; its jobs, what is said of them all and its policies in detail only, as its user wrote them."""

    id: Annotated[int, Field(description="Its number.")]
    name: Annotated[str, Field(description="A name for people.")]
    status: Annotated[Status, Field(description="Where the workflow is.")]
    progress: Annotated[Progress, Field(description="How many of its jobs are where.")]
    events: Annotated[Events, Field(description="When what happened.")]
    statusReason: NotRequired[Annotated[str, Field(description="Why, for people.")]]
    statusReasonCode: NotRequired[Annotated[Reason, Field(description="Why, for programs.")]]
    group: NotRequired[Annotated[str, Field(description="The one its jobs are charged to.")]]
    labels: NotRequired[Annotated[dict[str, str], Field(description="As its user has given them.")]]
    jobs: NotRequired[Annotated[list[dict[str, Any]], Field(description="As its user wrote them.")]]
    dependencies: NotRequired[
        Annotated[dict[str, list[str]], Field(description="By the name of a job those that wait for it.")]
    ]
    factories: NotRequired[Annotated[list[dict[str, Any]], Field(description="Which jobs have many instances.")]]
    policies: NotRequired[Annotated[dict[str, Any], Field(description="How it is treated.")]]
    notifications: NotRequired[Annotated[list[dict[str, Any]], Field(description="Who is told of its end.")]]
