"""Valid objects of the executor's world, and a container runtime that only pretends."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prominence.core.plan import ExecutionPlan, PlannedTask
from prominence.executor.broker.requests import Run
from prominence.executor.ports import (
    Cause,
    Container,
    Ended,
    FetchFailed,
    FetchTimedOut,
    Interrupted,
    Limits,
    NotRunning,
    Stop,
)


def a_planned_task(**changes: Any) -> PlannedTask:
    """A task for any runtime."""
    return PlannedTask(**{"image": "busybox:1", "runtimes": ("apptainer", "docker"), "command": ("true",), **changes})


def a_plan(*tasks: PlannedTask, **changes: Any) -> ExecutionPlan:
    """A job of one core and one GB without a walltime."""
    defaults: dict[str, Any] = {
        "job": "4b2c",
        "name": "a job",
        "tasks": tasks or (a_planned_task(),),
        "cpus": 1,
        "memory_mib": 1000,
        "walltime_s": None,
    }
    return ExecutionPlan(**{**defaults, **changes})


def a_container(**changes: Any) -> Container:
    """One that runs `true`."""
    defaults: dict[str, Any] = {
        "image": "busybox:1",
        "command": ("true",),
        "env": {},
        "workdir": "/home/user",
        "home": "/sandbox/home",
        "tmp": "/sandbox/tmp",
        "cpus": 1,
        "memory_mib": 1000,
    }
    return Container(**{**defaults, **changes})


def a_run(**changes: Any) -> Run:
    """What a job asks of the broker."""
    defaults: dict[str, Any] = {
        "image": "busybox:1",
        "command": ("true",),
        "env": {},
        "workdir": "/home/user",
        "cpus": 1,
        "memory_mib": 1000,
    }
    return Run(**{**defaults, **changes})


TOO_LONG = "too long"
"""Why an image of the pretended runtime cannot be had: its time is up."""


@dataclass
class PretendedRuntime:
    """ContainerRuntime in memory. ends: what each run gives, in order; afterwards all succeed.

    fetching: why images cannot be had, by name. on_fetch, on_run: what happens meanwhile.
    """

    name: str = "apptainer"
    held: Collection[str] = ()
    ends: list[Ended | Exception] = field(default_factory=list)
    fetching: Mapping[str, str] = field(default_factory=dict)
    on_fetch: Callable[[], None] = lambda: None
    on_run: Callable[[], None] = lambda: None
    ran: list[tuple[Container, Limits]] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    given_s: list[float | None] = field(default_factory=list)

    def version(self) -> str:
        return f"{self.name} 1"

    def has(self, image: str) -> bool:
        return image in self.held or image in self.fetched

    def fetch(self, image: str, timeout_s: float | None, stop: Stop) -> None:
        self.on_fetch()
        self.given_s.append(timeout_s)
        if stop.requested:
            raise Interrupted
        if self.fetching.get(image) == TOO_LONG:
            raise FetchTimedOut
        if image in self.fetching:
            raise FetchFailed(self.fetching[image])
        self.fetched.append(image)

    def enter(self, command: Sequence[str], output: int, limit_s: float) -> int:
        raise NotRunning("nothing is running")

    def run(self, container: Container, limits: Limits, stop: Stop) -> Ended:
        self.ran.append((container, limits))
        self.on_run()
        end = self.ends.pop(0) if self.ends else Ended(Cause.EXITED, 0)
        if isinstance(end, Exception):
            raise end
        return end


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def make_tree(directory: Path, depth: int) -> None:
    """Directories in one another, deeper than a path can be long, made without ever naming a long path."""
    here = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("d" * 100, dir_fd=here)
        below = os.open("d" * 100, os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
