"""The options that say where a job may run and where it had rather run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from prominence.cli import documents

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--site", "sites", metavar="NAME", multiple=True,
                 help="A cloud that the job may run on, instead of any. May be repeated."),
    click.option("--region", "regions", metavar="NAME", multiple=True,
                 help="A region that the job may run in, instead of any. May be repeated."),
    click.option("--prefer-site", "preferred_sites", metavar="NAME", multiple=True,
                 help="A cloud that the job had rather run on. May be repeated, the best first."),
    click.option("--prefer-region", "preferred_regions", metavar="NAME", multiple=True,
                 help="A region that the job had rather run in. May be repeated, the best first."),
)  # fmt: skip

ANYWHERE: Mapping[str, None] = {"requirements": None, "preferences": None}
"""As a change: that nothing is said any more."""


def placing(command: Command) -> Command:
    """All of these options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def placement(said: Mapping[str, Any]) -> dict[str, Any]:
    """What they say, as the API calls it."""
    requirements = {"sites": list(said["sites"]), "regions": list(said["regions"])}
    preferences = {"sites": list(said["preferred_sites"]), "regions": list(said["preferred_regions"])}
    return documents.said({"requirements": documents.said(requirements), "preferences": documents.said(preferences)})
