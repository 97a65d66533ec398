"""Parameters of workflows: list, delete, read what their jobs have printed."""

from __future__ import annotations

from pydantic import Field

from prominence.restapi.parameters.lists import FilterParameters
from prominence.restapi.parameters.model import Parameters
from prominence.restapi.parameters.output import PieceParameters
from prominence.restapi.parameters.words.choices import Statuses
from prominence.restapi.parameters.words.ids import JobIds
from prominence.restapi.parameters.words.numbers import Limit
from prominence.restapi.parameters.words.texts import Text


class ListWorkflowsParameters(FilterParameters):
    """Of a list of workflows."""


class StepOutputParameters(PieceParameters):
    """Of the output of a workflow's job."""

    node: Text = Field(default="0", description="Which of the job's nodes: 0.")


class NodesParameters(Parameters):
    """Of a list of a workflow's nodes."""

    status: Statuses | None = Field(
        default=None, description="Nodes with one of these statuses, with commas between them."
    )
    job: Text | None = Field(default=None, description="Nodes of the job with this name.")
    limit: Limit = Field(default=100, description="How many nodes a page has at most, from 1 to 1000.")
    cursor: str | None = Field(default=None, description="Where to go on, as the answer to the page before said.")


class DeleteWorkflowsParameters(Parameters):
    """Of several workflows that are to be deleted."""

    id: JobIds = Field(description="The ids of the workflows, with commas between them.")
