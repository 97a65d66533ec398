"""`prominence list, describe, stdout, stderr`."""

from __future__ import annotations

import itertools
import shutil
import sys
from typing import Any

import click

from prominence.cli.commands import options
from prominence.cli.commands.staying import pass_output_on
from prominence.cli.listing import Wanted
from prominence.cli.news import Stream
from prominence.cli.render.description import description_of_job
from prominence.cli.render.documents import document
from prominence.cli.render.jobs import USUAL, WIDE, by_id
from prominence.cli.render.table import table
from prominence.cli.surroundings import Surroundings
from prominence.cli.view import JobId

_USUAL = 20
"""How many completed jobs are listed when nobody says."""

_NOT_OF_MEMBERS = (
    *("name", "constraints", "workflow", "group", "user", "everyone"),
    *(f"{event}_{side}" for event in ("created", "started", "ended") for side in ("after", "before")),
)


@click.command("list")
@click.argument("kind", metavar="[jobs]", type=click.Choice(["jobs"]), default="jobs")
@click.argument("workflow", type=int, metavar="[WORKFLOW]", required=False)
@click.option("--completed", is_flag=True, help="Jobs that have ended, in place of those in the queue.")
@click.option("-a", "--all", "everything", is_flag=True, help="Jobs in all states.")
@click.option("--status", help="Jobs with this status only: idle, running, ... Several with commas between them.")
@click.option("--name", help="Jobs with this name only.")
@click.option("--constraint", type=options.Pair(), multiple=True, help="Jobs with this label only. May be repeated.")
@click.option("--array", type=click.IntRange(min=1), metavar="ID", help="The members of this array.")
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
    if wanted.array is not None and any(getattr(wanted, name) for name in _NOT_OF_MEMBERS):
        raise click.UsageError("With --array go --completed, --all, --status, --sort, -n and -o only.")
    with surroundings.client() as client:
        newest = itertools.islice(client.iterate(wanted), num if num or not wanted.completed else _USUAL)
        jobs = list(newest) if wanted.sort else by_id(newest)
    if output in options.DOCUMENTS:
        click.echo(document(jobs, output))
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    columns, row = WIDE if output == "wide" else USUAL
    click.echo(table(columns, [row(job, surroundings.today()) for job in jobs], width))


@click.command()
@options.job_ids(several=False)
@options.document
@click.pass_obj
def describe(surroundings: Surroundings, /, job_id: JobId, output: str) -> None:
    """Tell all that is known of a job.

    Times are in UTC.
    """
    with surroundings.client() as client:
        job = client.job(job_id)
    if output in options.DOCUMENTS:
        click.echo(document(job, output))
    else:
        click.echo(description_of_job(job, surroundings.today()))


_NODE = click.option(
    "-n", "--node", type=click.IntRange(min=0), default=0, help="Of which node of a job that has several; 0: the first."
)


@click.command()
@options.job_ids(several=False)
@click.option("-f", "-t", "--follow", "--tail", "follow", is_flag=True, help="Go on until the job has ended.")
@_NODE
@click.pass_obj
def stdout(surroundings: Surroundings, /, job_id: JobId, follow: bool, node: int) -> None:
    """Print a job's standard output.

    Also while it runs: what there is of it.
    """
    _print_output(surroundings, job_id, "stdout", follow, node)


@click.command()
@options.job_ids(several=False)
@click.option("-f", "-t", "--follow", "--tail", "follow", is_flag=True, help="Go on until the job has ended.")
@_NODE
@click.pass_obj
def stderr(surroundings: Surroundings, /, job_id: JobId, follow: bool, node: int) -> None:
    """Print a job's standard error.

    It is printed on standard output, also while the job runs: what there is of it.
    """
    _print_output(surroundings, job_id, "stderr", follow, node)


def _print_output(surroundings: Surroundings, job_id: JobId, stream: Stream, follow: bool, node: int) -> None:
    if follow and node:
        raise click.UsageError("Only the first node of a job can be followed.")
    with surroundings.client() as client:
        pass_output_on(client, job_id, stream, surroundings.clock if follow else None, node)
