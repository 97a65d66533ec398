"""`prominence status`: how the pool is."""

from __future__ import annotations

import click

from prominence.cli.commands import options
from prominence.cli.render.documents import document
from prominence.cli.render.pool import description_of_pool
from prominence.cli.surroundings import Surroundings


@click.command()
@options.document
@click.pass_obj
def status(surroundings: Surroundings, /, output: str) -> None:
    """Tell how the pool is.

    How many jobs wait, and what for; how many workers there are, and what of them is free; what clouds offer. It is as
    the service last saw it. Times are in UTC. Workers one by one: `prominence resources`; one job: `prominence why`.
    """
    with surroundings.client() as client:
        found = client.pool()
    if output in options.DOCUMENTS:
        click.echo(document(found, output))
    else:
        click.echo(description_of_pool(found, wide=output == "wide"))
