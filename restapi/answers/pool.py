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

    part: PartName
    seen: bool
    readAt: NotRequired[Moment]


class ReasonShown(TypedDict):
    """How many jobs wait for one thing, and how many of these are the caller's."""

    reasonCode: Reason
    jobs: Count
    yours: Count


class WaitingShown(TypedDict):
    """The jobs that wait, by what they wait for."""

    jobs: Count
    yours: Count
    reasons: list[ReasonShown]


class PhaseShown(TypedDict):
    """How many workers are in one phase of their lives."""

    phase: WorkerPhase
    workers: Count


class RoomShown(TypedDict):
    """Of all workers together, what they have and what of it is free."""

    capacity: AmountShown
    free: AmountShown


class UsualStartShown(TypedDict):
    """How long workers took from their order until they had joined: the shortest and the longest, in seconds."""

    least: NonNegative
    most: NonNegative
    seen: Annotated[int, Field(ge=1, description="How often.")]


class FlavourShown(TypedDict):
    """A kind of machine that a cloud offers. price: per hour, in the site's currency."""

    name: str
    region: NotRequired[str]
    size: AmountShown
    price: NonNegative
    start: NotRequired[UsualStartShown]


class CloudShown(TypedDict):
    """Where workers are made. trouble: why it cannot be used at present; retryAt: when it is tried again."""

    name: str
    workers: NotRequired[Count]
    limit: Count
    trouble: NotRequired[str]
    retryAt: NotRequired[Epoch]
    flavours: list[FlavourShown]


class ActionShown(TypedDict):
    """What the scaler did about a worker in its last round. reason: for operators, as it may name users."""

    act: Act
    worker: str
    cloud: NotRequired[str]
    flavour: NotRequired[str]
    reason: NotRequired[str]


class PoolShown(TypedDict):
    """The pool as the scaler last saw it, and what it makes of it. What it could not see is absent."""

    asOf: NotRequired[Annotated[int, Field(description="Seconds since 1970: when it looked; absent: never.")]]
    trouble: NotRequired[Annotated[str, Field(description="Why this is old, or nothing is known at all.")]]
    parts: list[SeenPartShown]
    waiting: NotRequired[WaitingShown]
    workers: NotRequired[list[PhaseShown]]
    limit: NotRequired[Annotated[int, Field(ge=0, description="Workers that may exist at once.")]]
    room: NotRequired[RoomShown]
    clouds: NotRequired[list[CloudShown]]
    actions: NotRequired[list[ActionShown]]
    notes: NotRequired[Annotated[list[str], Field(description="For operators: what was seen and left alone, and why.")]]
