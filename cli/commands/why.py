"""`prominence why`: what holds a job, and when it may start."""

from __future__ import annotations

import click

from prominence.cli.commands import options
from prominence.cli.commands.options import JobOrWorkflow
from prominence.cli.render.documents import document
from prominence.cli.render.explanation import explanation, table_of_waiting
from prominence.cli.surroundings import Surroundings

_WAITING = "waiting,idle,deploying"


@click.command()
@options.job_or_workflow
@options.plain_document
@click.pass_obj
def why(surroundings: Surroundings, /, of: JobOrWorkflow, output: str) -> None:
    """Tell why a job is where it is.

    Of one that waits: what for, how many of its kind come before it, and when it may start. Times are in UTC. Of a
    workflow: what those of its jobs that have not started wait for.
    """
    with surroundings.client() as client:
        if isinstance(of.id, int) and of.is_workflow:
            nodes = list(client.workflows.nodes(of.id, _WAITING))
            click.echo(document(nodes, output) if output in options.DOCUMENTS else table_of_waiting(nodes))
            return
        found = client.explain(of.id)
    click.echo(document(found, output) if output in options.DOCUMENTS else explanation(found))
