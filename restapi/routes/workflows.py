"""Workflows: create, list, describe, delete, run again, and read what their jobs have printed."""

from __future__ import annotations

from flask import Response, request
from flask.typing import ResponseReturnValue

from prominence.core.errors import Conflict, Forbidden, NotFound, QuotaReached
from prominence.core.workflow import WorkflowSpec
from prominence.restapi import idempotency, listing, nodes, workflow_submission, workflows
from prominence.restapi.answers.general import Done
from prominence.restapi.answers.workflows import NodeShown, WorkflowMade, WorkflowShown
from prominence.restapi.identity import Scope
from prominence.restapi.operations import Content, json
from prominence.restapi.parameters.gaps import workflow_id
from prominence.restapi.parameters.workflows import (
    DeleteWorkflowsParameters,
    ListWorkflowsParameters,
    NodesParameters,
    StepOutputParameters,
)
from prominence.restapi.routes.jobs import CURSOR, OUTPUT, respond
from prominence.restapi.routes.noun import Noun
from prominence.restapi.routes.reading import body, caller, parameters
from prominence.restapi.services import Services
from prominence.restapi.translate.submit import STDERR, STDOUT


def blueprint(services: Services) -> Noun:
    """All of them, on these services."""
    routes = Noun("workflows")
    _looks(routes, services)
    _outputs(routes, services)
    _acts(routes, services)
    _ends(routes, services)
    return routes


def _looks(routes: Noun, services: Services) -> None:
    @routes.serves(
        "GET /workflows",
        "List workflows",
        Scope.JOBS_READ,
        json("The workflows.", list[WorkflowShown], headers={CURSOR: "Where to go on; absent at the end."}),
        parameters=ListWorkflowsParameters,
    )
    def list_workflows() -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_READ)
        found = workflows.list_workflows(listing.read_workflows(parameters(), user), user, services)
        return found.jobs, {CURSOR: found.cursor} if found.cursor else {}

    @routes.serves(
        "GET /workflows/<workflow>",
        "All that is known of a workflow, and how many of its jobs are where",
        Scope.JOBS_READ,
        json("The workflow, alone in a list; an empty list if there is none.", list[WorkflowShown]),
    )
    def describe_workflow(workflow: str) -> ResponseReturnValue:
        return workflows.describe(workflow_id(workflow), caller(services, Scope.JOBS_READ), services)

    @routes.serves(
        "GET /workflows/<workflow>/nodes",
        "How each instance of each of a workflow's jobs is",
        Scope.JOBS_READ,
        json("The nodes.", list[NodeShown], headers={CURSOR: "Where to go on; absent at the end."}),
        parameters=NodesParameters,
        refuses=(NotFound,),
    )
    def list_nodes(workflow: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_READ)
        asked = NodesParameters.read(parameters())
        found = nodes.list_nodes(workflow_id(workflow), asked, user, services)
        return found.jobs, {CURSOR: found.cursor} if found.cursor else {}


def _outputs(routes: Noun, services: Services) -> None:
    @routes.serves(
        "GET /workflows/<workflow>/<path:step>/stdout",
        "What a job of a workflow has printed, by the job's name and the number of its instance",
        Scope.JOBS_READ,
        OUTPUT,
        parameters=StepOutputParameters,
        refuses=(NotFound, Forbidden),
    )
    def step_stdout(workflow: str, step: str) -> ResponseReturnValue:
        return _output(workflow, step, STDOUT, services)

    @routes.serves(
        "GET /workflows/<workflow>/<path:step>/stderr",
        "What a job of a workflow has written to its standard error",
        Scope.JOBS_READ,
        OUTPUT,
        parameters=StepOutputParameters,
        refuses=(NotFound, Forbidden),
    )
    def step_stderr(workflow: str, step: str) -> ResponseReturnValue:
        return _output(workflow, step, STDERR, services)


def _acts(routes: Noun, services: Services) -> None:
    @routes.serves(
        "POST /workflows",
        "Submit a workflow",
        Scope.JOBS_WRITE,
        json("The workflow.", WorkflowMade, 201),
        body=Content(WorkflowSpec),
        headers={idempotency.HEADER: idempotency.SCHEMA},
        refuses=(Conflict, QuotaReached),
    )
    def create_workflow() -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        spec, key = workflow_submission.read(body(), services), request.headers.get(idempotency.HEADER)
        return {"id": idempotency.submit_workflow(spec, request.get_data(), key, user, services)}, 201

    @routes.serves(
        "PUT /workflows/<workflow>",
        "Run again what of a workflow is not done",
        Scope.JOBS_WRITE,
        json("The new run, a workflow with a number of its own.", WorkflowMade),
        refuses=(NotFound, Conflict, QuotaReached),
    )
    def rerun_workflow(workflow: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        return {"id": workflows.rerun(workflow_id(workflow), user, services)}

    @routes.serves(
        "PUT /workflows/<workflow>/clone",
        "Submit the same workflow once more, whether it has ended or not",
        Scope.JOBS_WRITE,
        json("The new workflow.", WorkflowMade, 201),
        refuses=(NotFound, QuotaReached),
    )
    def clone_workflow(workflow: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        return {"id": workflows.clone(workflow_id(workflow), user, services)}, 201


def _ends(routes: Noun, services: Services) -> None:
    @routes.serves(
        "DELETE /workflows/<workflow>",
        "End a workflow and all its jobs, and take them out of the queue",
        Scope.JOBS_WRITE,
        json("They leave the queue.", Done),
        refuses=(NotFound,),
    )
    def delete_workflow(workflow: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        workflows.delete([workflow_id(workflow)], user, services)
        return {}

    @routes.serves(
        "DELETE /workflows",
        "End several workflows and all their jobs",
        Scope.JOBS_WRITE,
        json("Those that were there leave the queue.", Done),
        parameters=DeleteWorkflowsParameters,
        refuses=(NotFound,),
    )
    def delete_workflows() -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        given = ",".join(parameters().get("id", ()))  # of several, to pass over one would be a surprise
        workflows.delete(DeleteWorkflowsParameters.read({"id": [given]}).id, user, services)
        return {}

    @routes.serves(
        "PUT /workflows/<workflow>/remove",
        "Take a workflow out of the queue that has ended and stayed there",
        Scope.JOBS_WRITE,
        json("It has left the queue.", Done),
        refuses=(NotFound, Conflict),
    )
    def remove_workflow(workflow: str) -> ResponseReturnValue:
        workflows.dismiss(workflow_id(workflow), caller(services, Scope.JOBS_WRITE), services)
        return {}


def _output(workflow: str, step: str, name: str, services: Services) -> Response:
    user = caller(services, Scope.JOBS_READ)
    asked = StepOutputParameters.read(parameters())
    return respond(workflows.output(workflow_id(workflow), step, name, asked, user, services))
