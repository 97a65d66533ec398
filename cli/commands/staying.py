"""Staying with a job, or with all of an array, from a terminal: who is told what, and what the command ends with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from prominence.cli import exit_codes, view
from prominence.cli.client import Client
from prominence.cli.commands.options import Waiting
from prominence.cli.errors import ApiError, Unreachable
from prominence.cli.follow import Clock, follow
from prominence.cli.gather import gather
from prominence.cli.listing import Wanted
from prominence.cli.news import Sink, Stream
from prominence.cli.render.arrays import statuses
from prominence.cli.render.documents import as_json
from prominence.cli.render.jobs import job_progress
from prominence.cli.render.text import clean


def stay_with(client: Client, job_id: view.JobId, waiting: Waiting, clock: Clock, output: str) -> NoReturn:
    """Wait until the job has ended, and exit with its code."""
    progress = _tells(waiting)
    if progress:
        click.echo(f"Job created with id {job_id}", err=True)
    with goes_on(
        f"Job {job_id} goes on without us. Come back to it with `prominence stdout {job_id} --follow` or "
        f"`prominence describe {job_id}`; end it with `prominence delete {job_id}`."
    ):
        job = follow(client, job_id, _sinks(waiting), _listener(progress, f"job {job_id}", job_progress), clock)
    if output == "json":
        click.echo(as_json(job))
    if view.exit_code(job) is None and view.status(job) != "completed":
        click.echo(f"prominence: Job {job_id} has no exit code: {job_progress(job)}", err=True)
    raise click.exceptions.Exit(exit_codes.of_job(job))


def stay_with_all(client: Client, array: Mapping[str, Any], waiting: Waiting, clock: Clock, output: str) -> NoReturn:
    """Wait until all members have ended, and exit with the code of the first that has not completed.

    What they print is passed on one after the other, in the order of their places: so it is not mixed.
    """
    array_id, count, progress = array["id"], array["count"], _tells(waiting)
    if progress:
        click.echo(f"Array created with id {array_id}: jobs {array_id}.0 to {array_id}.{count - 1}", err=True)
    with goes_on(
        f"Array {array_id} goes on without us. Come back to it with `prominence array show {array_id}`; end it with "
        f"`prominence array delete {array_id}`."
    ):
        for member in (f"{array_id}.{index}" for index in range(count if waiting.follow else 0)):
            follow(client, member, _sinks(waiting), _listener(progress, f"job {member}", job_progress), clock)
        ended = gather(client.arrays, array_id, _listener(progress, f"array {array_id}", statuses), clock)
        first = _first_not_completed(client, array_id)
    if output == "json":
        click.echo(as_json(ended))
    if first is None:
        raise click.exceptions.Exit(0)
    click.echo(
        f"prominence: Not all of array {array_id} have completed: {statuses(ended)}. The first is job "
        f"{clean(str(first.get('id')))}: {job_progress(first)}",
        err=True,
    )
    raise click.exceptions.Exit(exit_codes.of_job(first))


def pass_output_on(client: Client, job_id: view.JobId, stream: Stream, clock: Clock | None, node: int = 0) -> None:
    """One stream of a job to standard output; with a clock until the job has ended, of its first node."""
    sink = _sink("stdout")
    if clock is None:
        client.output(job_id, stream, sink, node=node)
    else:
        follow(client, job_id, {stream: sink}, _Silent(), clock)


@contextmanager
def goes_on(sentence: str) -> Iterator[None]:
    """Whoever gives up, or is interrupted, is told how to come back."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(err=True)  # the terminal stands behind its ^C
        click.echo(sentence, err=True)
        raise click.exceptions.Exit(exit_codes.INTERRUPTED) from None
    except (Unreachable, ApiError):
        click.echo(sentence, err=True)
        raise


def _first_not_completed(client: Client, array_id: int) -> view.Job | None:
    wanted = Wanted(array=array_id, everything=True, status="failed,killed,deleted", sort="id", limit=1)
    return next((client.job(str(one.get("id"))) for one in client.jobs(wanted)), None)


def _tells(waiting: Waiting) -> bool:
    """Whether to tell how it goes. Where stderr is kept in a file it belongs to the job alone."""
    return waiting.progress if waiting.progress is not None else not waiting.follow or sys.stderr.isatty()


def _listener(tells: bool, whom: str, line: Callable[[Mapping[str, Any]], str]) -> _Told | _Silent:
    return _Told(whom, line) if tells else _Silent()


def _sinks(waiting: Waiting) -> Mapping[Stream, Sink]:
    return {"stdout": _sink("stdout"), "stderr": _sink("stderr")} if waiting.follow else {}


class _Told:
    """A line on stderr whenever something has changed."""

    def __init__(self, whom: str, line: Callable[[Mapping[str, Any]], str]) -> None:
        self._whom, self._line = whom, line
        self._last = ""

    def seen(self, now: Mapping[str, Any]) -> None:
        self._tell(self._line(now))

    def away(self, error: Unreachable) -> None:
        self._tell(f"{clean(str(error))} Trying again.")

    def _tell(self, line: str) -> None:
        if line != self._last:
            click.echo(f"{self._whom}: {line}", err=True)
            self._last = line


class _Silent:
    """Nobody is told anything."""

    def seen(self, now: Mapping[str, Any]) -> None:
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
