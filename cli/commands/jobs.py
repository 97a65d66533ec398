"""`prominence list, describe, stdout, stderr`."""

from __future__ import annotations

import itertools
import shutil
import sys
from typing import Any

import click

from prominence.cli import render
from prominence.cli.commands import options
from prominence.cli.commands.staying import pass_output_on
from prominence.cli.listing import Wanted
from prominence.cli.news import Stream
from prominence.cli.surroundings import Surroundings

_USUAL = 20
"""How many completed jobs are listed when nobody says."""


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


def _print_output(surroundings: Surroundings, job_id: int, stream: Stream, follow: bool) -> None:
    with surroundings.client() as client:
        pass_output_on(client, job_id, stream, surroundings.clock if follow else None)
