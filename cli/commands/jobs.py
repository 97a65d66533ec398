"""`prominence create, run, list, describe, stdout, stderr`."""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from prominence.cli import documents, render
from prominence.cli.client import Stream
from prominence.cli.commands import options
from prominence.cli.commands.staying import pass_output_on, stay_with
from prominence.cli.listing import Wanted
from prominence.cli.surroundings import Surroundings

_USUAL = 20
"""How many completed jobs are listed when nobody says."""

RUNTIMES = ("apptainer", "singularity", "docker", "podman", "udocker")


@click.command()
@click.argument("image")
@click.argument("command", nargs=-1)
@click.option("--name", help="A name for the job.")
@options.resources
@options.policies
@click.option("--env", type=options.Pair(), multiple=True, help="An environment variable. May be repeated.")
@click.option("--label", type=options.Pair(), multiple=True, help="A label to find the job by. May be repeated.")
@click.option("--workdir", help="Working directory in the container.")
@click.option("--runtime", type=click.Choice(RUNTIMES), help="The container runtime to prefer. Default: any.")
@click.option("--dry-run", is_flag=True, help="Print the job as JSON and do not create it.")
@options.waiting
@options.as_json
@click.pass_obj
def create(surroundings: Surroundings, /, **said: Any) -> None:
    """Create a job that runs COMMAND in a container of IMAGE.

    The command is one word in quotes, or several after "--":

    \b
      prominence create python:3.12 "python -c 'print(6 * 7)'"
      prominence create --wait python:3.12 -- python -c 'print(6 * 7)'

    Without a command the image's own entry point runs. What you do not ask for is as the service has it.
    """
    task = {
        "image": said["image"],
        "cmd": documents.command_line(said["command"]),
        "runtime": said["runtime"],
        "env": dict(said["env"]),
        "workdir": said["workdir"],
    }
    resources = {key: said[name] for name, key in options.RESOURCES.items()}
    policies = {key: said[name] for name, key in options.POLICIES.items()}
    job = documents.job(task, resources, said["name"], said["label"], policies)
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


@click.command("list")
@click.argument("kind", metavar="[jobs]", type=click.Choice(["jobs"]), default="jobs")
@click.argument("workflow", type=int, metavar="[WORKFLOW]", required=False)
@click.option("--completed", is_flag=True, help="Jobs that have ended, in place of those in the queue.")
@click.option("-a", "--all", "everything", is_flag=True, help="Jobs in all states.")
@click.option("--status", help="Jobs with this status only: idle, running, ... Several with commas between them.")
@click.option("--name", help="Jobs with this name only.")
@click.option("--constraint", type=options.Pair(), multiple=True, help="Jobs with this label only. May be repeated.")
@click.option("--group", help="Jobs that are charged to this group.")
@options.moments
@click.option("--user", help="Jobs of this user, if you may see them.")
@click.option("--everyone", is_flag=True, help="Jobs of all users that you may see.")
@click.option("--sort", metavar="KEY", help="id, createTime, name, or endTime of completed jobs; -KEY: the other way.")
@click.option(
    "-n",
    "--num",
    type=click.IntRange(min=1),
    help="At most so many, the newest. Default: 20 with --completed, else all.",
)
@options.document
@click.pass_obj
def list_jobs(surroundings: Surroundings, /, **said: Any) -> None:
    """List jobs, or those of one workflow.

    Without options those in the queue are listed, waiting or running. Times are in UTC, in options as 2026-05-01,
    2026-05-01T12:00 or seconds since 1970.
    """
    said.pop("kind")
    output, num = said.pop("output"), said.pop("num")
    wanted = Wanted(constraints=said.pop("constraint"), **said)
    with surroundings.client() as client:
        newest = itertools.islice(client.iterate(wanted), num if num or not wanted.completed else _USUAL)
        jobs = list(newest) if wanted.sort else render.by_id(newest)
    if output in options.DOCUMENTS:
        click.echo(render.document(jobs, output))
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    columns, row = render.WIDE if output == "wide" else render.USUAL
    click.echo(render.table(columns, [row(job, surroundings.today()) for job in jobs], width))


@click.command()
@options.job_ids(several=False)
@options.document
@click.pass_obj
def describe(surroundings: Surroundings, /, job_id: int, output: str) -> None:
    """Tell all that is known of a job.

    Times are in UTC.
    """
    with surroundings.client() as client:
        job = client.job(job_id)
    if output in options.DOCUMENTS:
        click.echo(render.document(job, output))
    else:
        click.echo(render.description(job, surroundings.today()))


@click.command()
@options.job_ids(several=False)
@click.option("-f", "-t", "--follow", "--tail", "follow", is_flag=True, help="Go on until the job has ended.")
@click.pass_obj
def stdout(surroundings: Surroundings, /, job_id: int, follow: bool) -> None:
    """Print a job's standard output.

    Also while it runs: what there is of it.
    """
    _print_output(surroundings, job_id, "stdout", follow)


@click.command()
@options.job_ids(several=False)
@click.option("-f", "-t", "--follow", "--tail", "follow", is_flag=True, help="Go on until the job has ended.")
@click.pass_obj
def stderr(surroundings: Surroundings, /, job_id: int, follow: bool) -> None:
    """Print a job's standard error.

    It is printed on standard output, also while the job runs: what there is of it.
    """
    _print_output(surroundings, job_id, "stderr", follow)


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


def _print_output(surroundings: Surroundings, job_id: int, stream: Stream, follow: bool) -> None:
    with surroundings.client() as client:
        pass_output_on(client, job_id, stream, surroundings.clock if follow else None)
