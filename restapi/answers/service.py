"""What the service tells of itself: what of it is ill, and what it can do."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from prominence.core.error_reasons import ErrorReason
from prominence.core.health import Condition


class Silent(TypedDict):
    """What does not answer."""

    errors: Annotated[str, Field(description="The parts, with commas between them.")]
    reasonCode: Annotated[ErrorReason, Field(description="As of any error: Unavailable.")]


class PartShown(TypedDict):
    """How a part is: ok; warning, it works and needs care; unknown, it could not be found out; broken."""

    part: Annotated[str, Field(description="Such as schedd, etcd, cloud NAME or disk of jobs.")]
    condition: Annotated[Condition, Field(description="How it is.")]
    sentence: Annotated[str, Field(description="What is known of it.")]
    advice: NotRequired[Annotated[str, Field(description="What to do.")]]


class PartsShown(TypedDict):
    """condition: that of the worst part. version: of the API."""

    condition: Annotated[Condition, Field(description="That of the worst part.")]
    time: Annotated[float, Field(description="The API's clock, in seconds since 1970.")]
    version: Annotated[str, Field(description="Of the API.")]
    parts: Annotated[list[PartShown], Field(description="Each of them.")]


Description = dict[str, Any]
"""In the language of OpenAPI."""
