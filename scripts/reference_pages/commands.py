"""The page of the command line, made of what the command tells of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from prominence.cli.main import command_line
from reference_pages.tables import anchor, code, plain, table

INTRODUCTION = """# Commands and options

<!-- Made by scripts/reference from the command itself; changes here are lost. -->

Every command of `prominence` with all of its options, as `--help` tells them. [The command](../cli.md) is the guide to
it, with examples, and says where address and token come from and what exit codes mean."""


def commands() -> Iterator[str]:
    """Its lines."""
    found = list(_all(command_line, click.Context(command_line, info_name="prominence")))
    yield INTRODUCTION
    rows = ((f"[{context.command_path}]({anchor(context.command_path)})", _first(one)) for one, context in found)
    yield from table(("command", "what it does"), rows)
    for one, context in found:
        yield from _command(one, context)


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield from ("", f"## {context.command_path}")
    for paragraph in re.split(r"\n\s*\n", (command.help or "").strip()):
        yield from ("", *_paragraph(paragraph))
    # One that has others below it is told of as it is without them.
    usage = [] if isinstance(command, click.Group) else command.collect_usage_pieces(context)
    yield from ("", "```", " ".join([context.command_path, *usage]), "```")
    told = [one.get_help_record(context) for one in command.get_params(context) if isinstance(one, click.Option)]
    options = (record for record in told if record is not None and "--help" not in record[0])
    yield from table(("option", "what it does"), ((code(names), _escaped(what)) for names, what in options))


def _paragraph(text: str) -> Iterator[str]:
    """One that click leaves as it is, which begins with a mark, is code."""
    if text.lstrip().startswith("\b"):
        yield from ("```sh", *(line.strip() for line in text.splitlines()[1:]), "```")
    else:
        yield _escaped(text)


def _all(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """What can be run, in the order in which `--help` lists it."""
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield command, context
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is not None and not inner.hidden:
            yield from _all(inner, click.Context(inner, parent=context, info_name=name))


def _first(command: click.Command) -> str:
    return _escaped(command.get_short_help_str(limit=120))


def _escaped(text: str) -> str:
    """Without line breaks, and with brackets that lead nowhere."""
    return re.sub(r"([\[\]])", r"\\\1", plain(text))
