"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from prominence.cli import documents

if TYPE_CHECKING:
    PairType = click.ParamType[tuple[str, str]]
else:
    PairType = click.ParamType  # generic in click's newest versions only

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


def as_json(command: Command, name: str = "--output") -> Command:
    """-o json. name: the option's long name."""
    option = click.option(
        "-o",
        name,
        "output",
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
