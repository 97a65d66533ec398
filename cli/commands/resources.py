"""`prominence resources`: the workers that there are."""

from __future__ import annotations

import click

from prominence.cli.commands import options
from prominence.cli.render.documents import document
from prominence.cli.render.resources import table_of_workers
from prominence.cli.surroundings import Surroundings


@click.command()
@options.document
@click.pass_obj
def resources(surroundings: Surroundings, /, output: str) -> None:
    """List the workers, and what of them is free for your jobs.

    Memory and disk are in GB. New workers appear when jobs need them.
    """
    with surroundings.client() as client:
        found = client.resources()
    if output in options.DOCUMENTS:
        click.echo(document({"existing": found}, output))
    else:
        click.echo(table_of_workers(found, wide=output == "wide"))
