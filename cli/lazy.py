"""Commands that need more than the rest of the client: imported when used, with a sentence if something is missing."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from prominence.cli.errors import ClientError


@dataclass(frozen=True)
class Lazy:
    """Where a command is, and which extra of the package brings what it needs. help: for the list of commands."""

    module: str
    attribute: str
    extra: str
    help: str


class LazyGroup(click.Group):
    """A group of which some commands are imported only when somebody asks for them."""

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted([*super().list_commands(ctx), *self._lazy])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command; in place of one that cannot be imported, one that says what to install."""
        lazy = self._lazy.get(cmd_name)
        if lazy is None:
            return super().get_command(ctx, cmd_name)
        try:
            command: click.Command = getattr(importlib.import_module(lazy.module), lazy.attribute)
        except ImportError as error:
            return _not_installed(cmd_name, lazy, error)
        return command


def _not_installed(name: str, lazy: Lazy, error: ImportError) -> click.Command:
    def explain(**_: Any) -> None:
        what = error.name or str(error)
        raise ClientError(
            f"`prominence {name}` needs {what}, which is not installed: "
            f"pip install 'prominence-htc[{lazy.extra}]' brings it."
        ) from error

    anything = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(name, callback=explain, help=lazy.help, add_help_option=False, context_settings=anything)
