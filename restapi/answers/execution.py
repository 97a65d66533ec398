"""What is told of how a job ran: where, with what, and what became of its tasks and files."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from prominence.restapi.answers.words import Bytes, Epoch


class Provisioned(TypedDict):
    """What the job was given on its worker; memory and disk in GB."""

    cpus: float
    memory: float
    disk: float
    nodes: int


class Cpu(TypedDict):
    """The worker's; clock in MHz."""

    vendor: NotRequired[str]
    model: NotRequired[str]
    clock: NotRequired[str]


class TaskRun(TypedDict):
    """What became of one task."""

    retries: int
    exitCode: NotRequired[int]
    signal: NotRequired[Annotated[int, Field(description="What ended it, where the runtime tells.")]]
    imagePullStatus: NotRequired[str]
    imagePullTime: NotRequired[float]
    imageSha256: NotRequired[str]
    wallTimeUsage: NotRequired[float]
    cpuTimeUsage: NotRequired[float]
    maxResidentSetSizeKB: NotRequired[int]
    runtime: NotRequired[str]


class TransferShown(TypedDict):
    """A file that was fetched for the job, or kept of it."""

    name: str
    status: str
    time: NotRequired[float]
    size: NotRequired[Bytes]
    sha256: NotRequired[str]


class Live(TypedDict):
    """What the task that runs used at that time; `cpus` since the time before, on an average."""

    time: Epoch
    cpuTimeUsage: NotRequired[float]
    cpus: NotRequired[float]
    memoryUsageKB: NotRequired[int]
    diskUsageKB: NotRequired[int]


class NodeRun(TypedDict):
    """What another node than the first has done of a job that has several. outcome: as of an attempt."""

    node: Annotated[int, Field(ge=1)]
    outcome: str
    worker: NotRequired[str]
    reason: NotRequired[str]
    cpu: NotRequired[Cpu]
    stageIn: NotRequired[list[TransferShown]]
    tasks: list[TaskRun]


class CheckpointShown(TypedDict):
    """saved: how many the last attempt has saved; restored: whether it began with one; trouble: why the last failed."""

    saved: int
    restored: bool
    trouble: NotRequired[str]


class Efficiency(TypedDict):
    """Shares of what the job's slot had, from 0 to 1, that its tasks used: cores on average, memory at most."""

    cpu: NotRequired[Annotated[float, Field(ge=0, le=1)]]
    memory: NotRequired[Annotated[float, Field(ge=0, le=1)]]
    advice: NotRequired[str]


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
    stageInBytes: NotRequired[Bytes]
    stageIn: NotRequired[list[TransferShown]]
    stageOutTime: NotRequired[float]
    stageOutBytes: NotRequired[Bytes]
    stageOut: NotRequired[list[TransferShown]]
    tasks: NotRequired[list[TaskRun]]
    efficiency: NotRequired[Efficiency]
    nodes: NotRequired[list[NodeRun]]
    live: NotRequired[Live]
    checkpoint: NotRequired[CheckpointShown]


class AttemptShown(TypedDict):
    """One start of the job."""

    number: int
    worker: NotRequired[str]
    startTime: NotRequired[Epoch]
    endTime: NotRequired[Epoch]
    outcome: NotRequired[str]
    reason: NotRequired[str]
    exitCode: NotRequired[int]
