"""JobSpec: a job as a user describes it. Unknown fields are refused and all mistakes reported at once.

The field names are those of the public API, which existed before this implementation; hence camel case where the
wire has it, and memory and disk in GB, walltime in minutes.
"""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, field_validator

from prominence.core.validation import Strict

# Docker's reference grammar: [host[:port]/]path[:tag][@digest]
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]{1,5})?"
_REFERENCE = re.compile(
    rf"(?:docker://)?(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_ENVIRONMENT_NAME = re.compile(r"[^=\x00\n]+")


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("a NUL character cannot be passed to a program")
    return text


def _as_text(value: Any) -> Any:
    """Old clients send numbers as values of env."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Runtime = Literal["apptainer", "singularity", "docker", "podman", "udocker"]
Name = Annotated[str, StringConstraints(max_length=512, pattern=r"^[A-Za-z0-9_./ -]*$")]
LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[A-Za-z0-9]+$")]
LabelValue = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[A-Za-z0-9_./-]+$")]
EnvironmentValue = Annotated[str, BeforeValidator(_as_text)]


class Task(Strict):
    """One container run inside a job. Tasks run in the order given."""

    image: str = Field(description="Container image: a registry name, with an optional tag or digest.")
    runtime: Runtime | None = Field(
        default=None,
        description="A wish: the runtime to prefer. Any other that can run the image is used where it is absent.",
    )
    cmd: str | None = Field(
        default=None,
        description="Command, split into words as a shell would, but never given to one. "
        "Absent: the image's own entry point.",
    )
    env: dict[str, EnvironmentValue] = Field(default_factory=dict, description="Environment variables.")
    workdir: str | None = Field(
        default=None,
        description="Working directory in the container; relative paths start at the job's home.",
    )

    @field_validator("image")
    @classmethod
    def _is_a_reference(cls, image: str) -> str:
        if not _REFERENCE.fullmatch(image):
            raise ValueError("not the name of a container image, such as python:3.12 or ghcr.io/group/tool:1.0")
        return image

    @field_validator("cmd")
    @classmethod
    def _can_be_split(cls, cmd: str | None) -> str | None:
        if cmd is not None:
            _no_nul(cmd)
            try:
                words = shlex.split(cmd)
            except ValueError as error:
                raise ValueError(f"cannot be split into words: {error}") from error
            if not words:
                raise ValueError("is empty; leave it out to run the image's own entry point")
        return cmd

    @field_validator("env")
    @classmethod
    def _can_be_an_environment(cls, env: dict[str, str]) -> dict[str, str]:
        for name, value in env.items():
            if not _ENVIRONMENT_NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot be the name of an environment variable")
            _no_nul(value)
        return env

    @field_validator("workdir")
    @classmethod
    def _is_a_path(cls, workdir: str | None) -> str | None:
        if workdir is not None:
            _no_nul(workdir)
            if not workdir:
                raise ValueError("is empty; leave it out to start in the job's home")
        return workdir


class Resources(Strict):
    """What the job needs, per node."""

    nodes: int = Field(default=1, ge=1, le=1, description="Number of nodes.")
    cpus: int = Field(default=1, ge=1, description="Cores.")
    memory: float = Field(default=1, gt=0, allow_inf_nan=False, description="Memory in GB.")
    disk: float = Field(default=10, gt=0, allow_inf_nan=False, description="Scratch disk in GB.")
    walltime: int | None = Field(
        default=None, ge=1, description="Minutes that all tasks together may run; absent: the site's default."
    )


class JobSpec(Strict):
    """A job: tasks run one after the other on one worker, in one scratch directory."""

    name: Name = Field(default="", description="A name for people.")
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, description="Labels to find it by.")
    tasks: tuple[Task, ...] = Field(min_length=1, strict=False, description="Container runs, in order.")
    resources: Resources = Field(description="What it needs.")
