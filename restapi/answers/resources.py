"""What is told of workers: what they have, and what is free."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from prominence.restapi.answers.words import NonNegative


class AmountShown(TypedDict):
    """Memory and disk in GB."""

    cpus: Annotated[int, Field(description="Cores.")]
    memory: Annotated[NonNegative, Field(description="In GB.")]
    disk: Annotated[NonNegative, Field(description="In GB.")]
    gpus: Annotated[int, Field(description="How many.")]


class WorkerShown(TypedDict):
    """A worker; `free` of its `capacity` is nobody's at the moment."""

    capacity: Annotated[AmountShown, Field(description="What it has.")]
    free: Annotated[AmountShown, Field(description="What of it is nobody's.")]
    site: Annotated[str, Field(description="The cloud, or static pool, that it is of; may be empty.")]


class Workers(TypedDict):
    """Those with most free cores first."""

    existing: Annotated[list[WorkerShown], Field(description="Those that there are.")]
