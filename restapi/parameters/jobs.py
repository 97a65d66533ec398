"""Parameters of jobs: list, describe, delete."""

from __future__ import annotations

from pydantic import Field

from prominence.restapi.parameters.lists import FilterParameters, MembersParameters
from prominence.restapi.parameters.model import Parameters
from prominence.restapi.parameters.words.ids import JobIds, Workflow
from prominence.restapi.parameters.words.numbers import Bytes, Seconds


class ListParameters(MembersParameters, FilterParameters):
    """Of a list of jobs."""

    workflow: Workflow | None = Field(
        default=None, description="Jobs of the workflow with this id; true: the id is in the parameter id."
    )


class DescribeParameters(Parameters):
    """Of one job."""

    wait: Seconds = Field(
        default=0,
        description="For so many seconds wait until the job is not the one of If-None-Match any more; 60 at most.",
    )
    stdout: Bytes | None = Field(
        default=None, description="Wait no longer either when its standard output has not this many bytes any more."
    )
    stderr: Bytes | None = Field(default=None, description="The same of its standard error.")

    @property
    def reads(self) -> bool:
        """Whether it is about the job's output, too."""
        return self.stdout is not None or self.stderr is not None


class DeleteParameters(Parameters):
    """Of several jobs that are to be deleted."""

    id: JobIds = Field(description="The ids of the jobs, with commas between them.")
