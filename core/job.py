"""JobSpec: a job as a user describes it. Unknown fields are refused and all mistakes reported at once.

The field names are those of the public API, which existed before this implementation; hence camel case where the
wire has it, and memory and disk in GB, walltime in minutes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from prominence.core import commandline
from prominence.core.files import MOST_MOUNTS, Artifact, HomePath, InputFile, Several
from prominence.core.policies import Policies
from prominence.core.resources import Resources
from prominence.core.validation import Spelling, Strict

# Docker's reference grammar: [host[:port]/]path[:tag][@digest]
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]{1,5})?"
_REFERENCE = re.compile(
    rf"(?:docker://)?(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)

MOST_TASKS = 1000
MOST_LABELS = 100
LONGEST_PATH = 4095
"""Bytes that Linux takes as a path."""

LONGEST_ARGUMENT = 128 * 1024 - 1
"""Bytes that Linux takes as a program's argument, or as the name, the "=" and the value of a variable."""

LONGEST_COMMAND = 1024 * 1024
"""Bytes that a task's arguments and environment may have together, with 9 for each besides its own. Linux takes some
more, and what every task is told comes on top."""


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("a NUL character cannot be passed to a program")
    return text


def _at_most(most: int, what: str) -> Callable[[Any], Any]:
    """Looked at before what is in it."""

    def check(value: Any) -> Any:
        if isinstance(value, list | tuple | dict) and len(value) > most:
            raise ValueError(f"must be at most {most} {what}, not {len(value)}")
        return value

    return check


def _text(pattern: str, **limits: int) -> dict[str, Any]:
    """The schema of a text that may be absent or null, where a function of ours checks it."""
    return {"anyOf": [{"type": "string", "pattern": pattern, **limits}, {"type": "null"}]}


def _as_text(value: Any) -> Any:
    """Old clients send numbers as values of env."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Runtime = Literal["apptainer", "singularity", "docker", "podman", "udocker"]
Name = Annotated[
    str,
    StringConstraints(max_length=512),
    Spelling(r"[A-Za-z0-9_./ -]*", "may hold letters (a to z), digits, spaces and _ . / - only"),
]
LabelKey = Annotated[
    str,
    StringConstraints(max_length=512),
    Spelling(r"[A-Za-z0-9]+", "the name of a label must be letters (a to z) and digits only, at least one"),
]
LabelValue = Annotated[
    str,
    StringConstraints(max_length=512),
    Spelling(r"[A-Za-z0-9_./-]+", "must be letters (a to z), digits and _ . / - only, at least one"),
]
Group = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256),
    Spelling(r"[^\x00-\x1f\x7f-\x9f]+", "must be the whole name of one of your groups"),
]
Labels = Annotated[
    dict[LabelKey, LabelValue],
    BeforeValidator(_at_most(MOST_LABELS, "labels")),
    Field(json_schema_extra={"maxProperties": MOST_LABELS}),
]
EnvironmentName = Annotated[
    str,
    Spelling(r"[^=\x00\n]+", "the name of an environment variable must not be empty, nor hold =, NUL or line breaks"),
]
EnvironmentValue = Annotated[
    str,
    BeforeValidator(_as_text),
    AfterValidator(_no_nul),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": r"^[^\x00]*$"}, {"type": "number"}]}),
]


class Task(Strict):
    """One container run inside a job. Tasks run in the order given."""

    image: str = Field(
        max_length=512,
        description="Container image: a registry name, with an optional tag or digest.",
        json_schema_extra={"pattern": f"^{_REFERENCE.pattern}$"},
    )
    runtime: Runtime | None = Field(
        default=None,
        description="A wish: the runtime to prefer. Any other that can run the image is used where it is absent.",
    )
    cmd: str | None = Field(
        default=None,
        description="Command, split into words as a shell would, but never given to one. "
        "Absent: the image's own entry point.",
        json_schema_extra=_text(commandline.PATTERN),
    )
    env: dict[EnvironmentName, EnvironmentValue] = Field(default_factory=dict, description="Environment variables.")
    workdir: str | None = Field(
        default=None,
        description="Working directory in the container; relative paths start at the job's home.",
        json_schema_extra=_text(r"^[^\x00]+$", maxLength=LONGEST_PATH),
    )

    @field_validator("image")
    @classmethod
    def _is_a_reference(cls, image: str) -> str:
        if not _REFERENCE.fullmatch(image):
            raise ValueError(
                "not the name of a container image, such as python:3.12 or registry.example.org/group/tool:1.0"
            )
        return image

    @field_validator("cmd")
    @classmethod
    def _can_be_split(cls, cmd: str | None) -> str | None:
        if cmd is not None:
            _no_nul(cmd)
            try:
                words = commandline.split(cmd)
            except ValueError as error:
                raise ValueError(f"cannot be split into words: {error}") from error
            if not words:
                raise ValueError("is empty; leave it out to run the image's own entry point")
            _fits("a word of it", words)
        return cmd

    @field_validator("workdir")
    @classmethod
    def _is_a_path(cls, workdir: str | None) -> str | None:
        if workdir is not None:
            _no_nul(workdir)
            if not workdir:
                raise ValueError("is empty; leave it out to start in the job's home")
            if _size(workdir) > LONGEST_PATH:
                raise ValueError(f"must have at most {LONGEST_PATH} bytes")
        return workdir

    @field_validator("env")
    @classmethod
    def _can_be_passed(cls, env: dict[str, str]) -> dict[str, str]:
        _fits("a variable", (f"{name}={value}" for name, value in env.items()))
        return env

    @model_validator(mode="after")
    def _can_be_started(self) -> Task:
        words = commandline.split(self.cmd) if self.cmd is not None else ()
        texts = [*words, *(f"{name}={value}" for name, value in self.env.items())]
        size = sum(_size(text) + 9 for text in texts)
        if size > LONGEST_COMMAND:
            raise ValueError(
                f"command and environment have {size} bytes together; no more than {LONGEST_COMMAND} can be passed"
            )
        return self


class JobSpec(Strict):
    """A job: tasks run one after the other on one worker, in one scratch directory."""

    name: Name = Field(default="", description="A name for people.")
    labels: Labels = Field(default_factory=dict, description="Labels to find it by.")
    tasks: Annotated[tuple[Task, ...], BeforeValidator(_at_most(MOST_TASKS, "tasks"))] = Field(
        strict=False, description="Container runs, in order.", json_schema_extra={"minItems": 1, "maxItems": MOST_TASKS}
    )
    resources: Resources = Field(description="What it needs.")
    policies: Policies = Field(default_factory=Policies, description="How it is treated.")
    group: Group | None = Field(
        default=None,
        description="Which of your groups the job is charged to, by its whole name; absent: the site's default.",
    )

    inputs: Several[InputFile] = Field(default=(), strict=False, description="Small files that come with the job.")
    artifacts: Several[Artifact] = Field(default=(), strict=False, description="Files to fetch before the tasks start.")
    outputFiles: Several[HomePath] = Field(
        default=(),
        strict=False,
        description="Files to keep, by paths in the job's home; may hold * and ?, of which the first match is kept.",
    )
    outputDirs: Several[HomePath] = Field(
        default=(), strict=False, description="Directories to keep, each as a .tgz, by paths in the job's home."
    )

    # Not by min_length: that would complain of an empty list, too, where the tasks in it are wrong.
    @field_validator("tasks")
    @classmethod
    def _has_one(cls, tasks: tuple[Task, ...]) -> tuple[Task, ...]:
        if not tasks:
            raise ValueError("at least one task is needed")
        return tasks

    @model_validator(mode="after")
    def _no_file_is_two(self) -> JobSpec:
        _check_distinct("inputs", [file.filename for file in self.inputs])
        mounts = {artifact.mountpoint for artifact in self.artifacts if artifact.mountpoint is not None}
        if len(mounts) > MOST_MOUNTS:
            raise ValueError(f"artifacts: at most {MOST_MOUNTS} directories can be mounted")
        _check_distinct("artifacts: the directory", [mount.partition(":")[0] for mount in mounts])
        _check_distinct("artifacts: the path", [mount.partition(":")[2] for mount in mounts])
        _check_distinct("outputs", [*self.outputFiles, *(f"{path}.tgz" for path in self.outputDirs)])
        return self


def _check_distinct(what: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what}: {name} is there twice")
        seen.add(name)


def _fits(what: str, texts: Iterable[str]) -> None:
    longest = max((_size(text) for text in texts), default=0)
    if longest > LONGEST_ARGUMENT:
        raise ValueError(f"{what} has {longest} bytes; no program can be given more than {LONGEST_ARGUMENT}")


def _size(text: str) -> int:
    # Half a surrogate pair has no place in UTF-8; that is said by whoever parses.
    return len(text.encode("utf-8", "surrogatepass"))
