"""Task: one container run inside a job, as a user describes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from prominence.core import commandline, images
from prominence.core.credentials import ImagePullCredential
from prominence.core.files import OutputPath, Sha256
from prominence.core.validation import SPELLING, WHOLE, Spelling, Strict

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


def _text(pattern: str, sentence: str, **limits: int) -> dict[str, Any]:
    """The schema of a text that may be absent or null, where a function of ours checks it."""
    return {"anyOf": [{"type": "string", "pattern": pattern, SPELLING: sentence, **limits}, {"type": "null"}]}


def _as_text(value: Any) -> Any:
    """Old clients send numbers as values of env."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


NO_IMAGE = "scratch"
"""What Docker calls the image that holds nothing."""

Runtime = Literal["apptainer", "singularity", "docker", "podman", "udocker", "process"]
EnvironmentName = Annotated[
    str,
    Spelling(r"[^=\x00\n]+", "the name of an environment variable must not be empty, nor hold =, NUL or line breaks"),
]
EnvironmentValue = Annotated[
    str,
    BeforeValidator(_as_text),
    AfterValidator(_no_nul),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": r"^[^\x00]*$", SPELLING: "must hold no NUL"}, {"type": "number"}]}
    ),
]


Mpi = Literal["openmpi", "mpich", "intelmpi"]
TaskType = Literal["basic", "sidecar", Mpi]
MPI: tuple[Mpi, ...] = get_args(Mpi)

AppName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128),
    Spelling(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", "must be the name of an app: letters (a to z), digits, _ . and - only"),
]


class Task(Strict):
    """One container run inside a job. Tasks run in the order given."""

    image: Annotated[str, WithJsonSchema(images.SCHEMA)] = Field(
        max_length=images.LONGEST,
        description="Container image: a registry name, with an optional tag or digest; or a file that ends with .sif, "
        ".simg, .tar, .tar.gz or .tgz: the name of an object, or an address that begins with http:// or https://.",
    )
    imageSha256: Sha256 | None = Field(
        default=None, description="SHA-256 of an image that is a file, in hexadecimal digits; no other is run."
    )
    runtime: Runtime | None = Field(
        default=None,
        description="A wish: the runtime to prefer. Any other that can run the image is used where it is absent. "
        '"process" is more than a wish: no container, on workers where that is allowed; the image is then "scratch".',
    )
    type: TaskType = Field(
        default="basic",
        description="A sidecar runs beside the tasks that are none: it is started before the first and ended with the "
        "last of them, and how it ends fails nothing. A task with the name of an MPI is started by its mpirun.",
    )
    procsPerNode: Annotated[int, Field(ge=1, le=2**31 - 1), WHOLE] | None = Field(
        default=None, description="Processes of an MPI task; absent: one for each core."
    )
    cmd: str | None = Field(
        default=None,
        description="Command, split into words as a shell would, but never given to one. "
        "Absent: the image's own entry point.",
        json_schema_extra=_text(commandline.PATTERN, "must be one word at least, and no NUL"),
    )
    env: dict[EnvironmentName, EnvironmentValue] = Field(default_factory=dict, description="Environment variables.")
    workdir: str | None = Field(
        default=None,
        description="Working directory in the container; relative paths start at the job's home.",
        json_schema_extra=_text(r"^[^\x00]+$", "must hold no NUL", maxLength=LONGEST_PATH),
    )
    app: AppName | None = Field(default=None, description="One of the apps in an image of Apptainer's, by its name.")
    stdout: OutputPath | None = Field(
        default=None,
        description="A file that what the task prints on both of its streams goes into besides: a path in the job's "
        "home, or in a directory that an artifact is mounted at.",
    )
    imagePullCredential: ImagePullCredential | None = Field(
        default=None, description="For an image that its registry does not give to everybody."
    )

    @field_validator("image")
    @classmethod
    def _can_be_had(cls, image: str) -> str:
        if found := images.problem(image):
            raise ValueError(found)
        return image

    @field_validator("imageSha256")
    @classmethod
    def _is_of_a_file(cls, checksum: str | None, info: ValidationInfo) -> str | None:
        image = info.data.get("image")  # not there when something is wrong with it
        if checksum is not None and image is not None and images.kind(image) is images.Kind.REGISTRY:
            raise ValueError(
                "is for an image that is a file; name the digest of one in a registry, as in python@sha256:..."
            )
        return checksum

    @field_validator("stdout")
    @classmethod
    def _is_not_of_a_sidecar(cls, stdout: str | None, info: ValidationInfo) -> str | None:
        if stdout is not None and info.data.get("type") == "sidecar":
            raise ValueError("is for tasks that are no sidecars; what those write is kept apart")
        return stdout

    @field_validator("app")
    @classmethod
    def _is_of_apptainer(cls, app: str | None, info: ValidationInfo) -> str | None:
        if app is not None and info.data.get("runtime") in ("docker", "podman", "udocker", "process"):
            raise ValueError(f"is for Apptainer; {info.data['runtime']} has none")
        return app

    @field_validator("imagePullCredential")
    @classmethod
    def _is_for_a_registry(
        cls, credential: ImagePullCredential | None, info: ValidationInfo
    ) -> ImagePullCredential | None:
        image = info.data.get("image")  # as above
        if credential is not None and image is not None and images.kind(image) is not images.Kind.REGISTRY:
            raise ValueError("is for an image in a registry; this one is a file")
        return credential

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

    @field_validator("procsPerNode")
    @classmethod
    def _is_for_mpi(cls, number: int | None, info: ValidationInfo) -> int | None:
        if number is not None and "type" in info.data and info.data["type"] not in MPI:
            raise ValueError(f"is for tasks of the types {', '.join(MPI)}")
        return number

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
        if self.runtime == "process" and self.image != NO_IMAGE:
            raise ValueError(f'a task with the runtime "process" has no image; write "{NO_IMAGE}"')
        if self.runtime == "process" and self.cmd is None:
            raise ValueError('a task with the runtime "process" needs a command; it has no image with one')
        return self

    def check_command_of_mpi(self, path: str) -> None:
        """Whether its MPI can start it. Raises ValueError."""
        if self.cmd is None:
            raise ValueError(f"{path}: needed for a task of the type {self.type}")
        program = commandline.split(self.cmd)[0]
        if program.rpartition("/")[2] in ("mpirun", "mpiexec"):
            raise ValueError(f"{path}: {program} is put before it; write what it is to run")


def _fits(what: str, texts: Iterable[str]) -> None:
    longest = max((_size(text) for text in texts), default=0)
    if longest > LONGEST_ARGUMENT:
        raise ValueError(f"{what} has {longest} bytes; no program can be given more than {LONGEST_ARGUMENT}")


def _size(text: str) -> int:
    # Half a surrogate pair has no place in UTF-8; that is said by whoever parses.
    return len(text.encode("utf-8", "surrogatepass"))
