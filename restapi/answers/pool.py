"""What is told of the pool as a whole."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from prominence.core.machines import WorkerPhase
from prominence.core.reasons import Reason
from prominence.core.scaling import Act
from prominence.restapi.answers.resources import AmountShown
from prominence.restapi.answers.words import Epoch, NonNegative

Count = Annotated[int, Field(ge=0)]
Moment = Annotated[int, Field(description="Seconds since 1970.")]
PartName = Literal["queue", "collector", "workers", "clouds"]


class SeenPartShown(TypedDict):
    """What the scaler looks at. seen: whether it could at its last look; readAt: when it last could."""

    part: Annotated[PartName, Field(description="Which.")]
    seen: Annotated[bool, Field(description="Whether it could be seen at the last look.")]
    readAt: NotRequired[Moment]


class ReasonShown(TypedDict):
    """How many jobs wait for one thing, and how many of these are the caller's."""

    reasonCode: Annotated[Reason, Field(description="What they wait for.")]
    jobs: Annotated[Count, Field(description="How many.")]
    yours: Annotated[Count, Field(description="Of them the caller's.")]


class WaitingShown(TypedDict):
    """The jobs that wait, by what they wait for."""

    jobs: Annotated[Count, Field(description="How many.")]
    yours: Annotated[Count, Field(description="Of them the caller's.")]
    reasons: Annotated[list[ReasonShown], Field(description="How many wait for what.")]


class PhaseShown(TypedDict):
    """How many workers are in one phase of their lives."""

    phase: Annotated[WorkerPhase, Field(description="Which.")]
    workers: Annotated[Count, Field(description="How many.")]


class RoomShown(TypedDict):
    """Of all workers together, what they have and what of it is free."""

    capacity: Annotated[AmountShown, Field(description="What they have.")]
    free: Annotated[AmountShown, Field(description="What of it is nobody's.")]


class UsualStartShown(TypedDict):
    """How long workers took from their order until they had joined: the shortest and the longest, in seconds."""

    least: Annotated[NonNegative, Field(description="The shortest.")]
    most: Annotated[NonNegative, Field(description="The longest.")]
    seen: Annotated[int, Field(ge=1, description="How often.")]


class FlavourShown(TypedDict):
    """A kind of machine that a cloud offers. price: per hour, in the site's currency."""

    name: Annotated[str, Field(description="What the cloud, or the settings, call it.")]
    region: NotRequired[Annotated[str, Field(description="Where in the cloud.")]]
    size: Annotated[AmountShown, Field(description="What jobs may have of it.")]
    price: Annotated[NonNegative, Field(description="Per hour, in the site's currency.")]
    start: NotRequired[Annotated[UsualStartShown, Field(description="How long it took to start.")]]
    walltime: NotRequired[
        Annotated[Count, Field(description="The longest walltime of a job there, in minutes; absent: any.")]
    ]


class CloudShown(TypedDict):
    """Where workers are made. trouble: why it cannot be used at present; retryAt: when it is tried again."""

    name: Annotated[str, Field(description="As in the settings.")]
    workers: NotRequired[Annotated[Count, Field(description="How many there are.")]]
    limit: Annotated[Count, Field(description="How many there may be.")]
    trouble: NotRequired[Annotated[str, Field(description="Why it cannot be used at present.")]]
    retryAt: NotRequired[Epoch]
    flavours: Annotated[list[FlavourShown], Field(description="What it offers.")]


class ActionShown(TypedDict):
    """What the scaler did about a worker in its last round. reason: for operators, as it may name users."""

    act: Annotated[Act, Field(description="What.")]
    worker: Annotated[str, Field(description="To which.")]
    cloud: NotRequired[Annotated[str, Field(description="Where it is to be made.")]]
    flavour: NotRequired[Annotated[str, Field(description="Which kind.")]]
    reason: NotRequired[Annotated[str, Field(description="Why; for operators.")]]


class PoolShown(TypedDict):
    """The pool as the scaler last saw it, and what it makes of it. What it could not see is absent."""

    asOf: NotRequired[Annotated[int, Field(description="Seconds since 1970: when it looked; absent: never.")]]
    trouble: NotRequired[Annotated[str, Field(description="Why this is old, or nothing is known at all.")]]
    parts: Annotated[list[SeenPartShown], Field(description="What it looks at.")]
    waiting: NotRequired[Annotated[WaitingShown, Field(description="Jobs that wait.")]]
    workers: NotRequired[Annotated[list[PhaseShown], Field(description="How many are in which phase.")]]
    limit: NotRequired[Annotated[int, Field(ge=0, description="Workers that may exist at once.")]]
    room: NotRequired[Annotated[RoomShown, Field(description="What all of them have.")]]
    clouds: NotRequired[Annotated[list[CloudShown], Field(description="Where they are made.")]]
    actions: NotRequired[Annotated[list[ActionShown], Field(description="What it did in its last round.")]]
    notes: NotRequired[Annotated[list[str], Field(description="For operators: what was seen and left alone, and why.")]]
