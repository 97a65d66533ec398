"""What is told of why a job is where it is."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from prominence.core.reasons import Blame, Reason
from prominence.core.states import Status
from prominence.restapi.answers.words import Epoch


class PositionShown(TypedDict):
    """Of a job among those that are like it: of the same user and group, with the same needs."""

    place: Annotated[int, Field(ge=1, description="1 is the next to start.")]
    of: Annotated[int, Field(ge=1, description="How many there are.")]
    waiting: Annotated[int, Field(ge=0, description="Jobs that wait in the whole pool, when the scaler last looked.")]


class StartShown(TypedDict):
    """When the job may start. A moment that is absent is not known."""

    earliest: NotRequired[Epoch]
    latest: NotRequired[Epoch]
    basis: Annotated[str, Field(description="What it was reckoned from, or why it is not known; for people.")]


class UnseenShown(TypedDict):
    """A part of the pool that the scaler cannot see."""

    part: Annotated[Literal["queue", "collector", "workers", "clouds"], Field(description="Which.")]
    readAt: NotRequired[Annotated[int, Field(description="Seconds since 1970: when it was last seen; absent: never.")]]


class ExplanationShown(TypedDict):
    """Why a job is where it is. What does not apply is absent."""

    id: Annotated[int | str, Field(description="The job's; of a member of an array a text such as 17.3.")]
    status: Annotated[Status, Field(description="Where the job is.")]
    explanation: Annotated[str, Field(description="A sentence, for people.")]
    reasonCode: NotRequired[Annotated[Reason, Field(description="The same, for programs.")]]
    blame: NotRequired[Annotated[Blame, Field(description="Who has to change something before it can go on.")]]
    advice: NotRequired[Annotated[str, Field(description="What can be done about it.")]]
    details: NotRequired[Annotated[dict[str, str], Field(description="What the sentence was made of.")]]
    position: NotRequired[Annotated[PositionShown, Field(description="Where it stands among others.")]]
    start: NotRequired[Annotated[StartShown, Field(description="When it may start.")]]
    unseen: NotRequired[Annotated[list[UnseenShown], Field(description="What the scaler could not see.")]]
    asOf: Annotated[int, Field(description="Seconds since 1970: when it was so. The scaler looks every few seconds.")]
