"""Staying with a job from a terminal: who is told what, and what the command ends with."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import NoReturn

import click

from prominence.cli import exit_codes, render, view
from prominence.cli.client import Client
from prominence.cli.commands.options import Waiting
from prominence.cli.errors import ApiError, Unreachable
from prominence.cli.follow import Clock, follow
from prominence.cli.news import Sink, Stream


def stay_with(client: Client, job_id: int, waiting: Waiting, clock: Clock, output: str) -> NoReturn:
    """Wait until the job has ended, and exit with its code."""
    progress = waiting.progress
    if progress is None:  # where stderr is kept in a file it belongs to the job alone
        progress = not waiting.follow or sys.stderr.isatty()
    listener = _Told(job_id) if progress else _Silent()
    sinks: Mapping[Stream, Sink] = {"stdout": _sink("stdout"), "stderr": _sink("stderr")} if waiting.follow else {}
    if progress:
        click.echo(f"Job created with id {job_id}", err=True)
    try:
        job = follow(client, job_id, sinks, listener, clock)
    except KeyboardInterrupt:
        click.echo(err=True)  # the terminal stands behind its ^C
        _goes_on(job_id)
        raise click.exceptions.Exit(exit_codes.INTERRUPTED) from None
    except (Unreachable, ApiError):
        _goes_on(job_id)
        raise
    if output == "json":
        click.echo(render.as_json(job))
    if view.exit_code(job) is None and view.status(job) != "completed":
        click.echo(f"prominence: Job {job_id} has no exit code: {render.progress(job)}", err=True)
    raise click.exceptions.Exit(exit_codes.of_job(job))


def pass_output_on(client: Client, job_id: int, stream: Stream, clock: Clock | None) -> None:
    """One stream of a job to standard output; with a clock until the job has ended."""
    sink = _sink("stdout")
    if clock is None:
        client.output(job_id, stream, sink)
    else:
        follow(client, job_id, {stream: sink}, _Silent(), clock)


class _Told:
    """A line on stderr whenever something has changed."""

    def __init__(self, job_id: int) -> None:
        self._job_id = job_id
        self._last = ""

    def seen(self, job: view.Job) -> None:
        self._tell(render.progress(job))

    def away(self, error: Unreachable) -> None:
        self._tell(f"{render.clean(str(error))} Trying again.")

    def _tell(self, line: str) -> None:
        if line != self._last:
            click.echo(f"job {self._job_id}: {line}", err=True)
            self._last = line


class _Silent:
    """Nobody is told anything."""

    def seen(self, job: view.Job) -> None:
        pass

    def away(self, error: Unreachable) -> None:
        pass


def _sink(name: Stream) -> Sink:
    """Bytes as they are, at once."""
    binary = (sys.stdout if name == "stdout" else sys.stderr).buffer

    def write(piece: bytes) -> None:
        binary.write(piece)
        binary.flush()

    return write


def _goes_on(job_id: int) -> None:
    click.echo(
        f"Job {job_id} goes on without us. Come back to it with `prominence stdout {job_id} --follow` or "
        f"`prominence describe {job_id}`; end it with `prominence delete {job_id}`.",
        err=True,
    )
