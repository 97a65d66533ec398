"""What many answers hold."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

Epoch = Annotated[int, Field(description="Seconds since 1970.")]
Bytes = Annotated[int, Field(ge=0)]
NonNegative = Annotated[float, Field(ge=0)]


class Events(TypedDict):
    """When what happened to the job."""

    createTime: NotRequired[Epoch]
    startTime: NotRequired[Epoch]
    endTime: NotRequired[Epoch]
