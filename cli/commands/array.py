"""`prominence array`: many equal jobs under one number."""

from __future__ import annotations

import click

from prominence.cli.commands import options
from prominence.cli.render.arrays import description_of_array, table_of_arrays
from prominence.cli.render.documents import as_json
from prominence.cli.surroundings import Surroundings

_array_id = click.argument("array_id", type=click.IntRange(min=1), metavar="ID")


@click.group()
def array() -> None:
    """Look at arrays of equal jobs, and act on all of one at once.

    `create --count` makes one. Its members are jobs with ids such as 17.3: `list --array 17` lists them, and what
    is done with a job is done with each of them by its id.
    """


@array.command("list")
@click.option("-n", "--num", type=click.IntRange(1, 1000), help="At most so many, the newest. Default: 100.")
@options.as_json
@click.pass_obj
def list_arrays(surroundings: Surroundings, /, num: int | None, output: str) -> None:
    """List your arrays, the newest first."""
    with surroundings.client() as client:
        found = client.arrays.list(num)
    click.echo(as_json(found) if output == "json" else table_of_arrays(found))


@array.command()
@_array_id
@options.as_json
@click.pass_obj
def show(surroundings: Surroundings, /, array_id: int, output: str) -> None:
    """Tell how the members of an array are."""
    with surroundings.client() as client:
        found = client.arrays.get(array_id)
    click.echo(as_json(found) if output == "json" else description_of_array(found))


@array.command()
@_array_id
@click.pass_obj
def delete(surroundings: Surroundings, /, array_id: int) -> None:
    """Delete all members. Waiting ones leave the queue, running ones are ended."""
    with surroundings.client() as client:
        client.arrays.delete(array_id)
    click.echo(f"Array {array_id} deleted")


@array.command()
@_array_id
@click.pass_obj
def hold(surroundings: Surroundings, /, array_id: int) -> None:
    """Put all members on hold. Running ones are ended, and begin anew when they are released."""
    with surroundings.client() as client:
        client.arrays.hold(array_id)
    click.echo(f"Array {array_id} is on hold")


@array.command()
@_array_id
@click.pass_obj
def release(surroundings: Surroundings, /, array_id: int) -> None:
    """Let all members start again that are on hold."""
    with surroundings.client() as client:
        client.arrays.release(array_id)
    click.echo(f"Array {array_id} released")
