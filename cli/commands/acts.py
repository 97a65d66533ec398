"""`prominence hold, release, edit, exec, clone, remove, delete`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from prominence.cli import documents
from prominence.cli.client import Client
from prominence.cli.commands import options, places
from prominence.cli.errors import ApiError
from prominence.cli.render.documents import as_json
from prominence.cli.render.text import clean
from prominence.cli.surroundings import Surroundings
from prominence.cli.view import JobId
from prominence.core.commandline import split


@click.command()
@options.job_ids(several=True)
@click.pass_obj
def hold(surroundings: Surroundings, /, job_ids: list[JobId]) -> None:
    """Put jobs on hold.

    They do not start until they are released. Running ones are ended, and begin anew then.
    """
    _each(surroundings, job_ids, Client.hold_job, "is on hold")


@click.command()
@options.job_ids(several=True)
@click.pass_obj
def release(surroundings: Surroundings, /, job_ids: list[JobId]) -> None:
    """Let jobs start again that are on hold."""
    _each(surroundings, job_ids, Client.release_job, "released")


@click.command()
@options.job_ids(several=True)
@click.option("--priority", type=click.IntRange(min=0), help="Of your own jobs, larger ones start first.")
@click.option("--walltime", type=click.IntRange(min=1), help="Minutes that the job may run.")
@click.option("--label", type=options.Pair(), multiple=True, help="Set a label. May be repeated.")
@click.option("--remove-label", multiple=True, metavar="NAME", help="Take a label away. May be repeated.")
@click.option("--leave-in-queue/--no-leave-in-queue", default=None, help="Whether it stays in the queue after its end.")
@click.option(
    "--preemptible/--no-preemptible",
    default=None,
    help="Whether it may run on machines that their cloud can take away.",
)
@places.placing
@click.option("--anywhere", is_flag=True, help="Take all that was said of sites and regions away.")
@click.pass_obj
def edit(surroundings: Surroundings, /, job_ids: list[JobId], **said: Any) -> None:
    """Change jobs that wait, or the walltime of those that run.

    What a job runs and how large it is cannot change: clone it, or create another.
    """
    placement = places.placement(said)
    if said["anywhere"] and placement:
        raise click.UsageError("--anywhere goes with no site or region.")
    change = documents.change(
        labels={**dict.fromkeys(said["remove_label"]), **dict(said["label"])},
        resources={"walltime": said["walltime"]},
        policies={
            "priority": said["priority"],
            "leaveInQueue": said["leave_in_queue"],
            "preemptible": said["preemptible"],
            "placement": places.ANYWHERE if said["anywhere"] else placement,
        },
    )
    if not change:
        raise click.UsageError("Say what is to change.")
    _each(surroundings, job_ids, lambda client, job_id: client.edit_job(job_id, change), "changed")


@click.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@options.job_id
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def execute(ctx: click.Context, /, job_id: JobId, command: tuple[str, ...]) -> None:
    """Run a command in the container of a running job.

    It is given to no shell. A command that is one word is split into words as in `create`. What it prints on either
    stream is printed when it has ended, and its exit code is ours.
    """
    try:
        words = split(command[0]) if len(command) == 1 else command
    except ValueError as error:
        raise click.UsageError(f"The command cannot be split into words: {error}.") from error
    with ctx.obj.client() as client:
        done = client.run_in_job(job_id, words)
    click.echo(done.output, nl=False)
    if done.cut:
        click.echo("prominence: It has printed more than is passed on.", err=True)
    ctx.exit(done.exit_code)


@click.command()
@options.job_ids(several=False)
@options.as_json
@click.pass_obj
def clone(surroundings: Surroundings, /, job_id: JobId, output: str) -> None:
    """Create the same job once more, whether it has ended or not."""
    with surroundings.client() as client:
        new = client.clone_job(job_id)
    click.echo(as_json({"id": new}) if output == "json" else f"Job created with id {new}")


@click.command()
@options.job_ids(several=True)
@click.pass_obj
def remove(surroundings: Surroundings, /, job_ids: list[JobId]) -> None:
    """Take jobs out of the queue that have ended and stayed there."""
    _each(surroundings, job_ids, Client.remove_job, "removed from the queue")


@click.command()
@options.job_ids(several=True)
@click.pass_obj
def delete(surroundings: Surroundings, /, job_ids: list[JobId]) -> None:
    """Delete jobs.

    Waiting ones leave the queue, running ones are ended.
    """
    _each(surroundings, job_ids, Client.delete_job, "deleted")


def _each(surroundings: Surroundings, job_ids: list[JobId], act: Callable[[Client, JobId], None], done: str) -> None:
    """Do it to one after the other; what is refused is told and does not stop the others."""
    code = 0
    with surroundings.client() as client:
        for job_id in job_ids:
            try:
                act(client, job_id)
                click.echo(f"Job {job_id} {done}")
            except ApiError as error:
                click.echo(f"prominence: Job {job_id}: {clean(error.told())}", err=True)
                code = error.exit_code
    raise click.exceptions.Exit(code)
