"""Options and arguments that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from prominence.cli import documents
from prominence.cli.view import JobId

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
CSV = "csv"


def document(command: Command) -> Command:
    """-o table, wide, json, yaml."""
    return _output(
        command, ["table", "wide", *DOCUMENTS], "For people, in few or many columns, or the API's own documents."
    )


def plain_document(command: Command) -> Command:
    """-o table, json, yaml."""
    return _output(command, ["table", *DOCUMENTS], "For people, or the API's own documents.")


def table_document(command: Command) -> Command:
    """-o table, csv, json, yaml."""
    return _output(command, ["table", CSV, *DOCUMENTS], "For people, for spreadsheets, or the API's own documents.")


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


def job_id(command: Command) -> Command:
    """ID, before what else there is."""

    def number(ctx: click.Context, param: click.Parameter, word: str) -> JobId:
        return _job_id(word, ctx, param)

    return click.argument("job_id", metavar="ID", callback=number)(command)


def count(command: Command) -> Command:
    """--count."""
    option = click.option(
        "--count", type=click.IntRange(min=1), help="Create so many of this job, as an array: see `prominence array`."
    )
    return option(command)


def _output(command: Command, forms: list[str], help_text: str) -> Command:
    option = click.option(
        "-o", "--output", type=click.Choice(forms), default="table", show_default=True, help=help_text
    )
    return option(command)


def _job_id(word: str, ctx: click.Context, param: click.Parameter) -> JobId:
    """A number; of a member of an array, such as 17.3, the text."""
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", word, re.ASCII):
        raise click.BadParameter(f"{word!r} is not the id of a job.", ctx, param)
    return word if "." in word else int(word)


@dataclass(frozen=True)
class JobOrWorkflow:
    """Which of them is meant."""

    id: JobId
    is_workflow: bool


def job_or_workflow(command: Command) -> Command:
    """ID of a job, before which the word `job` may stand, or `workflow ID`."""

    def read(ctx: click.Context, param: click.Parameter, words: tuple[str, ...]) -> JobOrWorkflow:
        is_workflow = words[:1] == ("workflow",)
        ids = words[1:] if words[:1] in (("job",), ("workflow",)) else words
        if len(ids) != 1:
            what = "a workflow" if is_workflow else "a job"
            raise click.UsageError(f"The id of {what} is needed." if not ids else "Only one id is possible here.", ctx)
        found = _job_id(ids[0], ctx, param)
        if is_workflow and not isinstance(found, int):
            raise click.BadParameter(f"{ids[0]!r} is not the id of a workflow.", ctx, param)
        return JobOrWorkflow(found, is_workflow)

    return click.argument("of", nargs=-1, metavar="[job|workflow] ID", callback=read)(command)


def job_ids(*, several: bool) -> Callable[[Command], Command]:
    """ID, or with `several` any number of them; the word `job` may stand before, as older clients had it."""

    def numbers(ctx: click.Context, param: click.Parameter, words: tuple[str, ...]) -> list[JobId] | JobId:
        ids = words[1:] if words[:1] == ("job",) else words
        found = [_job_id(word, ctx, param) for word in ids]
        if not ids or (len(ids) > 1 and not several):
            raise click.UsageError("The id of a job is needed." if not ids else "Only one id is possible here.", ctx)
        return found if several else found[0]

    name = "job_ids" if several else "job_id"
    return click.argument(name, nargs=-1, metavar="[job] ID..." if several else "[job] ID", callback=numbers)
