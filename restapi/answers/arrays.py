"""What is told of arrays."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from prominence.core.states import Status
from prominence.restapi.answers.words import Events


class ArrayMade(TypedDict):
    """An array that was submitted."""

    id: Annotated[int, Field(ge=1, description="Its number.")]
    count: Annotated[int, Field(ge=1, description="Of its members: with number 17 they are 17.0, 17.1 and so on.")]


class ArrayShown(TypedDict):
    """An array."""

    id: Annotated[int, Field(description="Its number.")]
    name: Annotated[str, Field(description="A name for people.")]
    count: Annotated[int, Field(ge=1, description="How many members it has.")]
    statuses: Annotated[dict[Status, Annotated[int, Field(ge=1)]], Field(description="Members by their status.")]
    events: Annotated[Events, Field(description="When what happened.")]
    group: NotRequired[Annotated[str, Field(description="The one it is charged to.")]]
    labels: NotRequired[Annotated[dict[str, str], Field(description="As its user has given them.")]]
