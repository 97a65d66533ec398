"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from prominence.cli import documents

if TYPE_CHECKING:
    PairType = click.ParamType[tuple[str, str]]
    NumbersType = click.ParamType[list[int]]
else:
    PairType = NumbersType = click.ParamType  # generic in click's newest versions only

Command = TypeVar("Command", bound=Callable[..., Any])


class Pair(PairType):
    """NAME=VALUE."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """The two halves."""
        try:
            return documents.pair(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class TwoNumbers(NumbersType):
    """A,B."""

    name = "a,b"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """Both of them; which may go together is the API's business."""
        words = [word.strip() for word in str(value).split(",")]
        if len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words):
            self.fail(f"{value!r} is not two whole numbers with a comma between.", param, ctx)
        return [int(word) for word in words]


RESOURCES = {
    "nodes": "nodes",
    "cpus": "cpus",
    "cpus_range": "cpusRange",
    "cpus_options": "cpusOptions",
    "memory": "memory",
    "memory_per_cpu": "memoryPerCpu",
    "disk": "disk",
    "walltime": "walltime",
}
"""The options of `resources`, and what the API calls them."""

POLICIES = {
    "retries": "maximumRetries",
    "task_retries": "maximumTaskRetries",
    "max_time_in_queue": "maximumTimeInQueue",
    "priority": "priority",
}
"""The options of `policies`, and what the API calls them."""


def resources(command: Command) -> Command:
    """What a job needs."""
    for option in (
        click.option("--walltime", type=int, help="Minutes that the job may run."),
        click.option("--nodes", type=int, default=1, show_default=True, help="Number of nodes."),
        click.option("--disk", type=float, help="Scratch disk in GB."),
        click.option("--memory-per-cpu", type=float, help="In place of --memory: GB for each core."),
        click.option("--memory", type=float, help="Memory in GB."),
        click.option("--cpus-options", type=TwoNumbers(), help="In place of --cpus: one of two numbers of cores."),
        click.option("--cpus-range", type=TwoNumbers(), help="In place of --cpus: the fewest and the most cores."),
        click.option("--cpus", type=int, help="Cores."),
    ):
        command = option(command)
    return command


def policies(command: Command) -> Command:
    """How a job is treated."""
    for option in (
        click.option("--priority", type=int, help="Among your own jobs; those with a larger one start first."),
        click.option("--max-time-in-queue", type=int, help="Minutes that the job may wait at a stretch."),
        click.option("--task-retries", type=int, help="How often a task that fails is run again on its worker."),
        click.option("--retries", type=int, help="How often the job runs again when it has failed."),
    ):
        command = option(command)
    return command


@dataclass(frozen=True)
class Waiting:
    """How to stay with a new job. progress: None for whatever fits where stderr goes."""

    wait: bool
    follow: bool
    progress: bool | None

    @property
    def stays(self) -> bool:
        """Whether to stay at all."""
        return self.wait or self.follow


def as_json(command: Command) -> Command:
    """-o json."""
    option = click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="For people, or the API's own documents.",
    )
    return option(command)


DOCUMENTS = ("json", "yaml")


def document(command: Command) -> Command:
    """-o table, wide, json, yaml."""
    option = click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "wide", *DOCUMENTS]),
        default="table",
        show_default=True,
        help="For people, in few or many columns, or the API's own documents.",
    )
    return option(command)


def moments(command: Command) -> Command:
    """--created-after and the like."""
    for event in ("ended", "started", "created"):
        for side, words in (("before", "before this moment"), ("after", "at this moment or later")):
            name = f"--{event}-{side}"
            command = click.option(name, metavar="MOMENT", help=f"{event.capitalize()} {words}.")(command)
    return command


def waiting(command: Command) -> Command:
    """--wait, --follow, --progress, -q."""
    for option in (
        click.option("--progress/--quiet", " /-q", default=None, help="Tell on stderr how the job goes, or do not."),
        click.option("--follow", is_flag=True, help="Wait, and pass the job's stdout and stderr on as they appear."),
        click.option("--wait", is_flag=True, help="Wait until the job has ended; exit with its exit code."),
    ):
        command = option(command)
    return command


def job_ids(*, several: bool) -> Callable[[Command], Command]:
    """ID, or with `several` any number of them; the word `job` may stand before, as older clients had it."""

    def numbers(ctx: click.Context, param: click.Parameter, words: tuple[str, ...]) -> list[int] | int:
        ids = words[1:] if words[:1] == ("job",) else words
        for word in ids:
            if not (word.isascii() and word.isdigit()):
                raise click.BadParameter(f"{word!r} is not the id of a job.", ctx, param)
        if not ids or (len(ids) > 1 and not several):
            raise click.UsageError("The id of a job is needed." if not ids else "Only one id is possible here.", ctx)
        return [int(word) for word in ids] if several else int(ids[0])

    name = "job_ids" if several else "job_id"
    return click.argument(name, nargs=-1, metavar="[job] ID..." if several else "[job] ID", callback=numbers)
