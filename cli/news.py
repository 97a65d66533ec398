"""What the API tells of a job that somebody waits for, and of its output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from prominence.cli import view

Stream = Literal["stdout", "stderr"]
Sink = Callable[[bytes], object]

NOTHING: Mapping[Stream, int] = MappingProxyType({})
"""Of no stream is anything known."""


@dataclass(frozen=True)
class News:
    """job: None where it is as before. version: "" where the API cannot tell."""

    job: view.Job | None
    version: str


@dataclass(frozen=True)
class Printed:
    """What a command that was run in a job has printed on both of its streams. cut: there was more."""

    exit_code: int
    output: str
    cut: bool = False
