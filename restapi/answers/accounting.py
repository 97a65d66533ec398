"""What is told of what jobs have used."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from prominence.restapi.answers.words import NonNegative


class SumShown(TypedDict):
    """What some jobs have used, in hours."""

    cpuTime: Annotated[NonNegative, Field(description="CPU time, as HTCondor has seen it.")]
    wallTime: Annotated[NonNegative, Field(description="Wall time of each job times its cores.")]
    numberOfJobs: Annotated[int, Field(ge=0, description="Jobs that have left the queue.")]


class Used(TypedDict):
    """By the names of users and of groups; who has used nothing is not there."""

    users: Annotated[dict[str, SumShown], Field(description="By name.")]
    groups: Annotated[dict[str, SumShown], Field(description="By name.")]


class Usage(TypedDict):
    """Of attempts of jobs that have ended within the time."""

    usage: Annotated[Used, Field(description="By whom.")]


class RowOfUsage(TypedDict):
    """What some attempts of jobs have used."""

    of: Annotated[list[str], Field(description="One name for each that was asked for; empty where there is none.")]
    jobs: Annotated[int, Field(ge=0, description="Jobs that have left the queue.")]
    attempts: Annotated[int, Field(ge=1, description="How many.")]
    wallHours: Annotated[NonNegative, Field(description="Wall time of each attempt.")]
    coreHours: Annotated[NonNegative, Field(description="Wall time of each attempt times its cores.")]
    cpuHours: Annotated[NonNegative, Field(description="CPU time, as HTCondor has seen it.")]
    serviceUnits: Annotated[NonNegative, Field(description="By the weights in the settings.")]
    cost: Annotated[
        NonNegative, Field(description="In the site's currency, as far as it is known which machines they ran on.")
    ]


class GroupedUsage(TypedDict):
    """Of attempts that have ended within the time."""

    by: Annotated[list[str], Field(description="What was asked for.")]
    rows: Annotated[list[RowOfUsage], Field(description="One for each that is told apart.")]
