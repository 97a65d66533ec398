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

from prominence.cli import documents
from prominence.cli.commands import job_options, options
from prominence.cli.commands.staying import stay_with, stay_with_all
from prominence.cli.commands.workflow import submit as submit_workflow
from prominence.cli.packed import pack
from prominence.cli.render.documents import as_json
from prominence.cli.surroundings import Surroundings
from prominence.core.plan import HIDDEN


@click.command()
@click.argument("image")
@click.argument("command", nargs=-1)
@job_options.describing
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A directory to upload, whose content the job starts with.",
)
@options.count
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

    IMAGE is the name of one in a registry, or a file that ends with .sif, .simg, .tar, .tar.gz or .tgz: an object that
    was uploaded, or an address.

    Without a command the image's own entry point runs. What you do not ask for is as the service has it.
    """
    directory, job = said["directory"], job_options.job(said, _registry_token(surroundings, said))
    if directory is not None:
        packed = f"{uuid.uuid4()}.tar.gz"
        job["artifacts"] = [*job.get("artifacts", ()), {"url": packed}]
        if not said["dry_run"]:
            _check_output(said)
            _send(surroundings, directory, packed)
    if said["dry_run"]:
        shown = {"storage": documents.without_secret(job["storage"])} if "storage" in job else {}
        click.echo(as_json({**job, **shown}))
    else:
        _submit(surroundings, job, said)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True, path_type=Path))
@options.count
@options.waiting
@options.as_json
@click.pass_obj
def run(surroundings: Surroundings, /, file: Path, **said: Any) -> None:
    """Create the job, or the workflow, that FILE describes.

    The file holds JSON or YAML; "-" is standard input. What has "jobs" in it is a workflow.
    """
    job = documents.read_from(file)
    if "jobs" in job:
        if said["follow"] or said["count"] is not None:
            raise click.UsageError("--follow and --count are for jobs, and this is a workflow.")
        submit_workflow(surroundings, job, said["wait"], said["progress"] is False, said["output"])
    else:
        _submit(surroundings, job, said)


def _send(surroundings: Surroundings, directory: Path, name: str) -> None:
    """Upload all that is in the directory as an object of this name."""
    with tempfile.TemporaryDirectory() as place, surroundings.client() as client:
        file = Path(place) / name
        pack(directory, file)
        client.data.upload(file)


def _registry_token(surroundings: Surroundings, said: Mapping[str, Any]) -> str | None:
    """What goes with --registry-username. What is only printed does not hold it."""
    if said["registry_username"] is None:
        return None
    if said["dry_run"]:
        return HIDDEN
    token = surroundings.environment.get(job_options.REGISTRY_TOKEN)
    if not token and not sys.stdin.isatty():
        raise click.UsageError(f"--registry-username needs the token in {job_options.REGISTRY_TOKEN}.")
    return token or str(click.prompt("Token or password at the registry", hide_input=True, err=True))


def _check_output(said: Mapping[str, Any]) -> None:
    if said["follow"] and said["output"] == "json":
        raise click.UsageError("-o json and --follow both write to standard output; use --wait.")


def _submit(surroundings: Surroundings, job: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    """Create the job and, if asked to, stay with it and exit as it does; or an array of such jobs."""
    waiting = options.Waiting(said["wait"], said["follow"], said["progress"])
    output, count = said["output"], said["count"]
    _check_output(said)
    with surroundings.client() as client:
        if count is not None:
            made = {"id": client.arrays.submit(job, count), "count": count}
            if waiting.stays:
                stay_with_all(client, made, waiting, surroundings.clock, output)
            told = f"Array created with id {made['id']}: jobs {made['id']}.0 to {made['id']}.{count - 1}"
        else:
            made = {"id": client.create_job(job)}
            if waiting.stays:
                stay_with(client, made["id"], waiting, surroundings.clock, output)
            told = f"Job created with id {made['id']}"
    click.echo(as_json(made) if output == "json" else told)
