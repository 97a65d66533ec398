"""What comes of what running jobs are asked to do."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict


class Printed(TypedDict):
    """What came of a command that was run in a job."""

    exitCode: Annotated[int, Field(description="128 + its number where a signal ended it.")]
    output: Annotated[str, Field(description="What it has printed on both of its streams.")]
    cut: NotRequired[Annotated[bool, Field(description="There was more.")]]


class Address(TypedDict):
    """Where something is to be had, for some time."""

    url: Annotated[str, Field(description="To GET it, without a token.")]
