"""Parameters of what jobs print: which piece of it."""

from __future__ import annotations

from pydantic import Field

from prominence.restapi.parameters.model import Parameters
from prominence.restapi.parameters.words.numbers import Bytes, Node, Place


class PieceParameters(Parameters):
    """Of anything that is read of a job's output."""

    task: Place | None = Field(
        default=None,
        description="A sidecar's, by its place among the job's tasks, counted from 0; absent: the others'.",
    )
    offset: Bytes = Field(default=0, description="From which character on, as old clients count.")
    byte: Bytes | None = Field(
        default=None, description="From which byte on; the header X-Prominence-Offset says where to go on."
    )


class OutputParameters(PieceParameters):
    """Of a job's output."""

    node: Node = Field(default=0, description="Which of the job's nodes.")
