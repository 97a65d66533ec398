"""`prominence workflow`: many jobs in one document."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from prominence.cli import documents, exit_codes, graph, view
from prominence.cli.client import Client
from prominence.cli.commands import options
from prominence.cli.commands.staying import goes_on
from prominence.cli.errors import ClientError, Unreachable
from prominence.cli.follow import PATIENCE_S, Clock
from prominence.cli.render.documents import as_json
from prominence.cli.render.text import clean
from prominence.cli.render.workflows import description_of_workflow, failure, table_of_workflows, workflow_progress
from prominence.cli.surroundings import Surroundings

LOOK_S = 2.0
"""How often DAGMan tells how far it is."""

LAST_LINES = 10

_ENDED = ("completed", "failed", "deleted", "killed")
_UNSUCCESSFUL = "failed,killed,deleted"

_workflow_id = click.argument("workflow_id", type=click.IntRange(min=1), metavar="ID")


@click.group()
def workflow() -> None:
    """Run workflows. Those are jobs that wait for each other, and jobs with many instances.

    Their jobs are jobs like others: `list jobs 17` lists them.
    """


@workflow.command("run")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True, path_type=Path))
@click.option("--wait", is_flag=True, help="Wait until it has ended; exit with 0 if all its jobs are done.")
@click.option("--quiet", "-q", is_flag=True, help="Do not tell how it goes.")
@options.as_json
@click.pass_obj
def run_workflow(surroundings: Surroundings, /, file: Path, wait: bool, quiet: bool, output: str) -> None:
    """Submit the workflow that FILE describes. It is in JSON or YAML; "-" is standard input."""
    submit(surroundings, documents.read_from(file, documents.A_WORKFLOW), wait, quiet, output)


def submit(surroundings: Surroundings, document: dict[str, Any], wait: bool, quiet: bool, output: str) -> None:
    """Submit a workflow and, if asked to, stay with it."""
    with surroundings.client() as client:
        made = client.workflows.submit(document)
        if not wait:
            click.echo(as_json({"id": made}) if output == "json" else f"Workflow created with id {made}")
            return
        with goes_on(
            f"Workflow {made} goes on without us. Come back to it with `prominence workflow show {made}`; end it with "
            f"`prominence workflow delete {made}`."
        ):
            found = _stay(client, made, quiet, surroundings.clock)
    if output == "json":
        click.echo(as_json(found))
    raise click.exceptions.Exit(0 if view.status(found) == "completed" else exit_codes.FAILED)


@workflow.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that have left the queue.")
@click.option("-n", "--num", type=click.IntRange(1, 1000), default=100, help="At most so many, the newest.")
@options.as_json
@click.pass_obj
def list_workflows(surroundings: Surroundings, /, everything: bool, num: int, output: str) -> None:
    """List your workflows, the newest first."""
    with surroundings.client() as client:
        found = client.workflows.list(everything, num)
    click.echo(as_json(found) if output == "json" else table_of_workflows(found))


@workflow.command()
@_workflow_id
@options.as_json
@click.pass_obj
def show(surroundings: Surroundings, /, workflow_id: int, output: str) -> None:
    """Tell how a workflow is, and how many of its jobs are where."""
    with surroundings.client() as client:
        found = _get(client, workflow_id)
    click.echo(as_json(found) if output == "json" else description_of_workflow(found))


@workflow.command("graph")
@_workflow_id
@click.option("--dot", "form", flag_value="dot", help="In the language of Graphviz.")
@click.option("--svg", "form", flag_value="svg", help="As a drawing in SVG, which browsers show.")
@click.option("--text", "form", flag_value="text", default="text", hidden=True)
@click.pass_obj
def show_graph(surroundings: Surroundings, /, workflow_id: int, form: str) -> None:
    """Tell which jobs of a workflow wait for which. The instances of each are counted by how they are."""
    with surroundings.client() as client:
        found = _get(client, workflow_id)
        known = graph.statuses(client.workflows.nodes(workflow_id)) if found.get("jobs") else {}
    click.echo({"dot": graph.dot, "svg": graph.drawing, "text": graph.text}[form](found, known))


@workflow.command()
@_workflow_id
@click.pass_obj
def failures(surroundings: Surroundings, /, workflow_id: int) -> None:
    """Tell which jobs of a workflow have failed, and why. It ends with what they printed last on stderr."""
    with surroundings.client() as client:
        _get(client, workflow_id)
        for node in client.workflows.nodes(workflow_id, _UNSUCCESSFUL):
            click.echo(failure(node))
            for line in _last_lines(client, node):
                click.echo(f"    {line}")


@workflow.command()
@_workflow_id
@click.pass_obj
def rerun(surroundings: Surroundings, /, workflow_id: int) -> None:
    """Run again what of a workflow is not done."""
    with surroundings.client() as client:
        click.echo(f"Workflow {workflow_id} runs again with id {client.workflows.rerun(workflow_id)}")


@workflow.command()
@_workflow_id
@click.pass_obj
def clone(surroundings: Surroundings, /, workflow_id: int) -> None:
    """Submit all of a workflow once more."""
    with surroundings.client() as client:
        click.echo(f"Workflow created with id {client.workflows.clone(workflow_id)}")


@workflow.command()
@_workflow_id
@click.pass_obj
def delete(surroundings: Surroundings, /, workflow_id: int) -> None:
    """End a workflow and all its jobs."""
    with surroundings.client() as client:
        client.workflows.delete(workflow_id)
    click.echo(f"Workflow {workflow_id} deleted")


@workflow.command()
@_workflow_id
@click.pass_obj
def remove(surroundings: Surroundings, /, workflow_id: int) -> None:
    """Take a workflow that has ended, and stayed, out of the queue."""
    with surroundings.client() as client:
        client.workflows.remove(workflow_id)
    click.echo(f"Workflow {workflow_id} removed")


@workflow.command("stdout")
@_workflow_id
@click.argument("job")
@click.option("--stderr", "stream", flag_value="stderr", help="Its standard error.")
@click.option("--stdout", "stream", flag_value="stdout", default="stdout", hidden=True)
@click.pass_obj
def show_output(surroundings: Surroundings, /, workflow_id: int, job: str, stream: str) -> None:
    """Print what a job of a workflow has printed. JOB is its name, or NAME/3 for the instance of that number."""
    with surroundings.client() as client:
        sys.stdout.buffer.write(client.workflows.output(workflow_id, job, stream))


def _get(client: Client, workflow_id: int) -> dict[str, Any]:
    found = client.workflows.get(workflow_id)
    if found is None:
        raise ClientError(f"There is no workflow {workflow_id}.")
    return found


def _stay(client: Client, workflow_id: int, quiet: bool, clock: Clock) -> dict[str, Any]:
    """Until it has ended, told on stderr whenever something has changed."""
    last, began = "", clock.now()
    heard_at = began
    while True:
        try:
            found = _get(client, workflow_id)
        except Unreachable:
            if clock.now() - heard_at > PATIENCE_S:
                raise
            clock.sleep(LOOK_S)
            continue
        heard_at = clock.now()
        line = workflow_progress(found, clock.now() - began)
        if not quiet and line.partition(";")[0] != last.partition(";")[0]:
            click.echo(f"workflow {workflow_id}: {line}", err=True)
            last = line
        if view.status(found) in _ENDED:
            if not quiet and view.mapping(found, "progress").get("failed"):
                click.echo(f"prominence workflow failures {workflow_id} tells why", err=True)
            return found
        clock.sleep(LOOK_S)


def _last_lines(client: Client, node: Mapping[str, Any]) -> list[str]:
    pieces: list[bytes] = []
    if not isinstance(node.get("id"), int):
        return []
    try:
        client.output(node["id"], "stderr", pieces.append)
    except ClientError as error:
        return [clean(str(error))]
    lines = b"".join(pieces).decode("utf-8", "replace").splitlines()
    return [clean(line) for line in lines[-LAST_LINES:]]
