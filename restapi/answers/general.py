"""What any operation may answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from prominence.core.error_reasons import ErrorReason


class Error(TypedDict):
    """What went wrong."""

    error: Annotated[str, Field(description="A sentence for people.")]
    reasonCode: Annotated[ErrorReason, Field(description="Why, for programs.")]


class Done(TypedDict):
    """It is done."""
