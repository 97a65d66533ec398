"""What is told of how a job ran: where, with what, and what became of its tasks and files."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from prominence.restapi.answers.words import Bytes, Epoch


class Provisioned(TypedDict):
    """What the job was given on its worker; memory and disk in GB."""

    cpus: Annotated[float, Field(description="Cores.")]
    memory: Annotated[float, Field(description="In GB.")]
    disk: Annotated[float, Field(description="In GB.")]
    nodes: Annotated[int, Field(description="How many.")]


class Cpu(TypedDict):
    """The worker's; clock in MHz."""

    vendor: NotRequired[Annotated[str, Field(description="Who made it.")]]
    model: NotRequired[Annotated[str, Field(description="What it is.")]]
    clock: NotRequired[Annotated[str, Field(description="In MHz.")]]


class TaskRun(TypedDict):
    """What became of one task."""

    retries: Annotated[int, Field(description="How often it was run again.")]
    exitCode: NotRequired[Annotated[int, Field(description="Of its last run; absent where it did not get so far.")]]
    signal: NotRequired[Annotated[int, Field(description="What ended it, where the runtime tells.")]]
    imagePullStatus: NotRequired[Annotated[str, Field(description="completed, cached or failed.")]]
    imagePullTime: NotRequired[Annotated[float, Field(description="Seconds.")]]
    imageSha256: NotRequired[Annotated[str, Field(description="Of its image, where that is known.")]]
    wallTimeUsage: NotRequired[Annotated[float, Field(description="Seconds, of all its runs.")]]
    cpuTimeUsage: NotRequired[Annotated[float, Field(description="Seconds of processors, of all its runs.")]]
    maxResidentSetSizeKB: NotRequired[Annotated[int, Field(description="The most memory that it had.")]]
    runtime: NotRequired[Annotated[str, Field(description="What ran it.")]]


class TransferShown(TypedDict):
    """A file that was fetched for the job, or kept of it."""

    name: Annotated[str, Field(description="Of the file or object.")]
    status: Annotated[str, Field(description="Whether it was done.")]
    time: NotRequired[Annotated[float, Field(description="Seconds.")]]
    size: NotRequired[Annotated[Bytes, Field(description="In bytes.")]]
    sha256: NotRequired[Annotated[str, Field(description="Of its content.")]]


class Live(TypedDict):
    """What the task that runs used at that time; `cpus` since the time before, on an average."""

    time: Epoch
    cpuTimeUsage: NotRequired[Annotated[float, Field(description="Seconds of processors, up to then.")]]
    cpus: NotRequired[Annotated[float, Field(description="Cores at a time, since the look before.")]]
    memoryUsageKB: NotRequired[Annotated[int, Field(description="What it had.")]]
    diskUsageKB: NotRequired[Annotated[int, Field(description="What the job took.")]]


class NodeRun(TypedDict):
    """What another node than the first has done of a job that has several. outcome: as of an attempt."""

    node: Annotated[int, Field(ge=1, description="Which, counted from 0.")]
    outcome: Annotated[str, Field(description="How it ended.")]
    worker: NotRequired[Annotated[str, Field(description="Where it ran.")]]
    reason: NotRequired[Annotated[str, Field(description="Why, for people.")]]
    cpu: NotRequired[Annotated[Cpu, Field(description="That of its worker.")]]
    stageIn: NotRequired[Annotated[list[TransferShown], Field(description="What was fetched there.")]]
    tasks: Annotated[list[TaskRun], Field(description="What became of each there.")]


class CheckpointShown(TypedDict):
    """saved: how many the last attempt has saved; restored: whether it began with one; trouble: why the last failed."""

    saved: Annotated[int, Field(description="How many the last attempt has saved.")]
    restored: Annotated[bool, Field(description="Whether it began with one.")]
    trouble: NotRequired[Annotated[str, Field(description="Why the last one could not be saved.")]]


class Efficiency(TypedDict):
    """Shares of what the job's slot had, from 0 to 1, that its tasks used: cores on average, memory at most."""

    cpu: NotRequired[Annotated[float, Field(ge=0, le=1, description="Of the cores, on average.")]]
    memory: NotRequired[Annotated[float, Field(ge=0, le=1, description="Of the memory, at most.")]]
    advice: NotRequired[Annotated[str, Field(description="What to ask for instead; for people.")]]


class Execution(TypedDict):
    """Where and how the job ran; times in seconds."""

    retries: Annotated[int, Field(ge=0, description="How often the job was begun anew.")]
    site: NotRequired[Annotated[str, Field(description="The cloud, or static pool, that it ran on.")]]
    worker: NotRequired[Annotated[str, Field(description="The name of the worker.")]]
    provisionedResources: NotRequired[Annotated[Provisioned, Field(description="What it was given there.")]]
    cpu: NotRequired[Annotated[Cpu, Field(description="That of the worker.")]]
    runtimeVersion: NotRequired[Annotated[dict[str, str], Field(description="Of each runtime that was used.")]]
    maxMemoryUsageKB: NotRequired[Annotated[int, Field(description="The most that any of its tasks had.")]]
    stageInTime: NotRequired[Annotated[float, Field(description="Seconds, of all that was fetched.")]]
    stageInBytes: NotRequired[Annotated[Bytes, Field(description="Of all that was fetched.")]]
    stageIn: NotRequired[Annotated[list[TransferShown], Field(description="Each file that was fetched.")]]
    stageOutTime: NotRequired[Annotated[float, Field(description="Seconds, of all that was kept.")]]
    stageOutBytes: NotRequired[Annotated[Bytes, Field(description="Of all that was kept.")]]
    stageOut: NotRequired[Annotated[list[TransferShown], Field(description="Each file that was kept.")]]
    tasks: NotRequired[Annotated[list[TaskRun], Field(description="What became of each that was started.")]]
    efficiency: NotRequired[
        Annotated[Efficiency, Field(description="What of the slot was used, of a job of a minute or longer.")]
    ]
    nodes: NotRequired[
        Annotated[list[NodeRun], Field(description="What became of the others, of a job that has several.")]
    ]
    live: NotRequired[Annotated[Live, Field(description="What the task that runs uses at present.")]]
    checkpoint: NotRequired[Annotated[CheckpointShown, Field(description="Of a job that keeps some.")]]


class AttemptShown(TypedDict):
    """One start of the job."""

    number: Annotated[int, Field(description="Counted from 1.")]
    worker: NotRequired[Annotated[str, Field(description="Where it ran.")]]
    startTime: NotRequired[Epoch]
    endTime: NotRequired[Epoch]
    outcome: NotRequired[Annotated[str, Field(description="How it ended.")]]
    reason: NotRequired[Annotated[str, Field(description="Why, for people.")]]
    exitCode: NotRequired[Annotated[int, Field(description="Of the task that ended it.")]]
