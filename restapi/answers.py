"""What the API answers, as types.

What is not known is absent, never null, and nothing comes that is not said here. Pure.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field, WithJsonSchema
from typing_extensions import TypedDict

from prominence.core.reasons import Reason
from prominence.core.states import Status
from prominence.restapi.identity import Role, Scope

Epoch = Annotated[int, Field(description="Seconds since 1970.")]
Bytes = Annotated[int, Field(ge=0)]
NonNegative = Annotated[float, Field(ge=0)]


class Error(TypedDict):
    """What went wrong."""

    error: Annotated[str, Field(description="A sentence for people.")]


class Silent(TypedDict):
    """What does not answer."""

    errors: Annotated[str, Field(description="The parts, with commas between them.")]


class Done(TypedDict):
    """It is done."""


class Printed(TypedDict):
    """What came of a command that was run in a job."""

    exitCode: Annotated[int, Field(description="128 + its number where a signal ended it.")]
    output: Annotated[str, Field(description="What it has printed on both of its streams.")]
    cut: NotRequired[Annotated[bool, Field(description="There was more.")]]


class JobId(TypedDict):
    """A job that was submitted."""

    id: Annotated[int, Field(ge=1, description="Its number.")]


class TaskShown(TypedDict):
    """One task of a job. Others than its user are told its image and runtime."""

    image: str
    runtime: NotRequired[str]
    cmd: NotRequired[str]
    env: NotRequired[dict[str, str]]
    workdir: NotRequired[str]


class GpusShown(TypedDict):
    """GPUs that a job asks for."""

    count: int
    minimumMemory: NotRequired[float]
    capability: NotRequired[float]


class ResourcesShown(TypedDict):
    """As the job asks, and what the site has given it where it says nothing."""

    nodes: NotRequired[int]
    cpus: NotRequired[int]
    cpusRange: NotRequired[list[int]]
    cpusOptions: NotRequired[list[int]]
    memory: NotRequired[float]
    memoryPerCpu: NotRequired[float]
    disk: NotRequired[float]
    gpus: NotRequired[GpusShown]
    walltime: NotRequired[int]


class PoliciesShown(TypedDict):
    """What the job says of how it is treated."""

    maximumRetries: NotRequired[int]
    maximumTaskRetries: NotRequired[int]
    maximumTimeInQueue: NotRequired[int]
    priority: NotRequired[int]
    ignoreTaskFailures: NotRequired[bool]
    reportJobSuccessOnTaskFailure: NotRequired[bool]
    leaveInQueue: NotRequired[bool]


class Events(TypedDict):
    """When what happened to the job."""

    createTime: NotRequired[Epoch]
    startTime: NotRequired[Epoch]
    endTime: NotRequired[Epoch]


class Provisioned(TypedDict):
    """What the job was given on its worker; memory and disk in GB."""

    cpus: float
    memory: float
    disk: float
    nodes: int


class Cpu(TypedDict):
    """The worker's."""

    model: str


class TaskRun(TypedDict):
    """What became of one task."""

    retries: int
    exitCode: NotRequired[int]
    imagePullStatus: NotRequired[str]
    imagePullTime: NotRequired[float]
    imageSha256: NotRequired[str]
    wallTimeUsage: NotRequired[float]
    cpuTimeUsage: NotRequired[float]
    maxResidentSetSizeKB: NotRequired[int]
    runtime: NotRequired[str]


class Execution(TypedDict):
    """Where and how the job ran; times in seconds."""

    retries: Annotated[int, Field(ge=0)]
    site: NotRequired[str]
    worker: NotRequired[str]
    provisionedResources: NotRequired[Provisioned]
    cpu: NotRequired[Cpu]
    runtimeVersion: NotRequired[dict[str, str]]
    maxMemoryUsageKB: NotRequired[int]
    stageInTime: NotRequired[float]
    stageOutTime: NotRequired[float]
    tasks: NotRequired[list[TaskRun]]


class AttemptShown(TypedDict):
    """One start of the job."""

    number: int
    worker: NotRequired[str]
    startTime: NotRequired[Epoch]
    endTime: NotRequired[Epoch]
    outcome: NotRequired[str]
    reason: NotRequired[str]
    exitCode: NotRequired[int]


class InputShown(TypedDict):
    """A small file that came with the job."""

    filename: str
    executable: NotRequired[bool]


class ArtifactShown(TypedDict):
    """A file that the job fetches."""

    url: str
    executable: NotRequired[bool]
    mountpoint: NotRequired[str]


class OutputShown(TypedDict):
    """What the job keeps, or was to keep: then url is empty."""

    name: str
    url: str
    size: NotRequired[Bytes]


class JobShown(TypedDict):
    """A job. With `fields` there is what was asked for; without detail nothing below `events`."""

    id: int
    name: NotRequired[str]
    status: NotRequired[Status]
    statusReason: NotRequired[Annotated[str, Field(description="Why, for people.")]]
    statusReasonCode: NotRequired[Annotated[Reason, Field(description="Why, for programs.")]]
    exitCode: NotRequired[int]
    group: NotRequired[Annotated[str, Field(description="The one it is charged to.")]]
    labels: NotRequired[dict[str, str]]
    tasks: NotRequired[list[TaskShown]]
    events: NotRequired[Events]
    resources: NotRequired[ResourcesShown]
    policies: NotRequired[PoliciesShown]
    priority: NotRequired[int]
    execution: NotRequired[Execution]
    attempts: NotRequired[list[AttemptShown]]
    inputs: NotRequired[list[InputShown]]
    artifacts: NotRequired[list[ArtifactShown]]
    outputFiles: NotRequired[list[OutputShown]]
    outputDirs: NotRequired[list[OutputShown]]


class Whoami(TypedDict):
    """Who the caller is here."""

    user: str
    groups: list[str]
    roles: list[Annotated[str, WithJsonSchema({"type": "string", "enum": ["user", "service", *list(Role)[1:]]})]]
    scopes: list[Scope]
    manages: NotRequired[list[str]]
    expires: NotRequired[Epoch]


class TokenShown(TypedDict):
    """What is known of a token."""

    id: str
    user: str
    name: str
    scopes: list[Scope]
    groups: list[str]
    expires: Epoch
    madeAt: Epoch
    madeBy: str


class TokenMade(TokenShown):
    """A new token. It is told this once."""

    token: str


class ObjectShown(TypedDict):
    """An object."""

    name: str
    size: Bytes
    lastModified: Annotated[str, Field(description="As HTTP writes dates.")]
    expireTime: Epoch


class PutAddress(TypedDict):
    """Send the content there with PUT, and these headers with it."""

    url: str
    headers: NotRequired[dict[str, str]]


class UploadAddress(TypedDict):
    """Send the content there: with PUT, or where there are fields as a form with POST, the file last."""

    url: str
    fields: NotRequired[dict[str, str]]


class InputAddress(TypedDict):
    """Get the object there."""

    url: str
    size: Bytes
    sha256: NotRequired[str]


class Space(TypedDict):
    """Bytes that a user or a group uses, and may."""

    uploads: Bytes
    outputs: Bytes
    used: Bytes
    quota: Bytes


class Lifetimes(TypedDict):
    """For how many seconds what is kept."""

    uploads: int
    outputs: int
    jobs: int


class Quota(TypedDict):
    """What the caller and their groups use."""

    user: Space
    groups: dict[str, Space]
    largestObject: Annotated[int, Field(description="Bytes.")]
    lifetimes: Lifetimes


class AmountShown(TypedDict):
    """Memory and disk in GB."""

    cpus: int
    memory: NonNegative
    disk: NonNegative
    gpus: int


class WorkerShown(TypedDict):
    """A worker; `free` of its `capacity` is nobody's at the moment."""

    capacity: AmountShown
    free: AmountShown
    site: str


class Workers(TypedDict):
    """Those with most free cores first."""

    existing: list[WorkerShown]


Keys = list[str] | list[dict[str, str]]
"""Keys with a / before each, or with `values` each with its value."""

Description = dict[str, Any]
"""In the language of OpenAPI."""
