"""Parameters of what running jobs are asked to do."""

from __future__ import annotations

from pydantic import Field

from prominence.restapi.parameters.model import Parameters
from prominence.restapi.parameters.words.texts import Text


class EnterParameters(Parameters):
    """Of a command that is to be run in a job, as the published client asks for it."""

    command: Text = Field(
        description="The program and its arguments, with commas between them.",
        json_schema_extra={"pattern": r"^[^\x00]*$"},
    )


class SnapshotParameters(Parameters):
    """Of a copy of what is in a job's home."""

    path: Text = Field(description="Of a file or a directory: in the job's home, or as its tasks see it.")
