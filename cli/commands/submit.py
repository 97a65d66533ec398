"""`prominence create, run`."""

from __future__ import annotations

import sys
import tempfile
import uuid
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from prominence.cli import documents, render
from prominence.cli.commands import job_options, options
from prominence.cli.commands.staying import stay_with
from prominence.cli.packed import pack
from prominence.cli.surroundings import Surroundings


@click.command()
@click.argument("image")
@click.argument("command", nargs=-1)
@job_options.describing
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A directory to upload, whose content the job starts with.",
)
@click.option("--dry-run", is_flag=True, help="Print the job as JSON; create and upload nothing.")
@options.waiting
@partial(options.as_json, name="--format")
@click.pass_obj
def create(surroundings: Surroundings, /, **said: Any) -> None:
    """Create a job that runs COMMAND in a container of IMAGE.

    The command is one word in quotes, or several after "--":

    \b
      prominence create python:3.12 "python -c 'print(6 * 7)'"
      prominence create --wait python:3.12 -- python -c 'print(6 * 7)'

    Without a command the image's own entry point runs. What you do not ask for is as the service has it.
    """
    directory, job = said["directory"], job_options.job(said)
    if directory is not None:
        packed = f"{uuid.uuid4()}.tar.gz"
        job["artifacts"] = [*job.get("artifacts", ()), {"url": packed}]
        if not said["dry_run"]:
            _send(surroundings, directory, packed)
    if said["dry_run"]:
        click.echo(render.as_json(job))
    else:
        _submit(surroundings, job, _waiting(said), said["output"])


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True, path_type=Path))
@options.waiting
@options.as_json
@click.pass_obj
def run(surroundings: Surroundings, /, file: Path, **said: Any) -> None:
    """Create the job that FILE describes.

    The file holds JSON or YAML; "-" is standard input.
    """
    data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    job = documents.read(data, "standard input" if str(file) == "-" else str(file))
    _submit(surroundings, job, _waiting(said), said["output"])


def _send(surroundings: Surroundings, directory: Path, name: str) -> None:
    """Upload all that is in the directory as an object of this name."""
    with tempfile.TemporaryDirectory() as place, surroundings.client() as client:
        file = Path(place) / name
        pack(directory, file)
        client.data.upload(file)


def _waiting(said: Mapping[str, Any]) -> options.Waiting:
    return options.Waiting(said["wait"], said["follow"], said["progress"])


def _submit(surroundings: Surroundings, job: Mapping[str, Any], waiting: options.Waiting, output: str) -> None:
    """Create the job and, if asked to, stay with it and exit as it does."""
    if waiting.follow and output == "json":
        raise click.UsageError("-o json and --follow both write to standard output; use --wait.")
    with surroundings.client() as client:
        job_id = client.create_job(job)
        if waiting.stays:
            stay_with(client, job_id, waiting, surroundings.clock, output)
    click.echo(render.as_json({"id": job_id}) if output == "json" else f"Job created with id {job_id}")
