"""What any operation may answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict


class Error(TypedDict):
    """What went wrong."""

    error: Annotated[str, Field(description="A sentence for people.")]


class Done(TypedDict):
    """It is done."""
