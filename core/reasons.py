"""Every reason a user can be shown: a stable word, a sentence, who is to blame and what to do.

The words are part of the API and never change their meaning. Standard library only and Python 3.9: the executor
carries this module.
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class Blame(str, enum.Enum):
    """Who has to change something before it can work."""

    NOBODY = "nobody"
    USER = "user"
    PLATFORM = "platform"
    PROVIDER = "provider"


class Meaning(NamedTuple):
    """What stands behind a reason word. `sentence` may hold {fields}, filled by `explain`."""

    sentence: str
    blame: Blame
    advice: str = ""


class Reason(str, enum.Enum):
    """The stable words."""

    # Waiting
    QUEUED = "Queued"
    MATCHING = "Matching"
    WORKER_REQUESTED = "WorkerRequested"
    WORKER_BOOTING = "WorkerBooting"
    PATIENCE = "WaitsForCheaperRoom"
    POOL_LIMIT = "PoolLimitReached"
    CLOUD_LIMIT = "CloudLimitReached"
    GROUP_LIMIT = "GroupLimitReached"
    BACK_OFF = "BackOff"
    NO_CAPACITY = "NoCapacity"
    NO_FLAVOUR_FITS = "NoFlavourFits"
    NO_FLAVOUR_LASTS = "NoFlavourLasts"
    NO_SUCH_PLACE = "NoSuchPlace"
    POOL_UNKNOWN = "PoolUnknown"
    SCALER_SILENT = "ScalerSilent"
    HELD_BY_USER = "HeldByUser"
    HELD_BY_OPERATOR = "HeldByOperator"
    HELD_FOR_BUDGET = "HeldForBudget"
    # Running
    SUSPENDED = "Suspended"
    # Ended
    TASK_FAILED = "TaskFailed"
    COMMAND_NOT_FOUND = "CommandNotFound"
    IMAGE_NOT_FOUND = "ImageNotFound"
    IMAGE_REFUSED = "ImageRefused"
    IMAGE_UNAVAILABLE = "ImageUnavailable"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    NO_RUNTIME = "NoRuntime"
    ARTIFACT_NOT_FOUND = "ArtifactNotFound"
    ARTIFACT_DOWNLOAD_FAILED = "ArtifactDownloadFailed"
    ARTIFACT_UNPACK_FAILED = "ArtifactUnpackFailed"
    STORAGE_MOUNT_FAILED = "StorageMountFailed"
    STORAGE_UNAVAILABLE = "StorageUnavailable"
    STORAGE_NOT_WRITTEN = "StorageNotWritten"
    CHECKPOINT_NOT_RESTORED = "CheckpointNotRestored"
    OUTPUT_NOT_FOUND = "OutputNotFound"
    OUTPUT_NOT_KEPT = "OutputNotKept"
    OUTPUT_UPLOAD_FAILED = "OutputUploadFailed"
    WALLTIME_EXCEEDED = "WalltimeExceeded"
    MEMORY_EXCEEDED = "MemoryExceeded"
    DISK_EXCEEDED = "DiskExceeded"
    QUEUE_TIME_EXCEEDED = "QueueTimeExceeded"
    DELETED_BY_USER = "DeletedByUser"
    DELETED_BY_OPERATOR = "DeletedByOperator"
    INTERRUPTED = "Interrupted"
    EXECUTOR_FAILED = "ExecutorFailed"
    HELD = "Held"
    TOO_MANY_ATTEMPTS = "TooManyAttempts"
    # Of workflows, and of their jobs
    JOBS_FAILED = "JobsFailed"
    WORKFLOW_STOPPED = "WorkflowStopped"
    WORKFLOW_DELETED = "WorkflowDeleted"
    WAITS_FOR_JOBS = "WaitsForJobs"
    NOT_RUN = "NotRun"


OF_IMAGES = frozenset(
    {Reason.IMAGE_NOT_FOUND, Reason.IMAGE_REFUSED, Reason.IMAGE_UNAVAILABLE, Reason.IMAGE_PULL_FAILED}
)
"""Why a task's image could not be had."""

MEANINGS = {
    Reason.QUEUED: Meaning("The job is queued; the scaler has not looked at it yet.", Blame.NOBODY),
    Reason.MATCHING: Meaning("A worker has room; HTCondor is matching the job to it.", Blame.NOBODY),
    Reason.WORKER_REQUESTED: Meaning("Worker {worker} ({flavour}) has been ordered for it.", Blame.NOBODY),
    Reason.WORKER_BOOTING: Meaning("Worker {worker} ({flavour}) is starting for it.", Blame.NOBODY),
    Reason.PATIENCE: Meaning(
        "It waits for room that becomes free or for other jobs to share a machine with, which costs less, {detail}; "
        "then a machine is ordered for it.",
        Blame.NOBODY,
    ),
    Reason.POOL_LIMIT: Meaning(
        "The pool has {used} of {limit} workers that it may have; the job waits for room.", Blame.PLATFORM
    ),
    Reason.CLOUD_LIMIT: Meaning("No cloud that could run it may have more workers now: {detail}.", Blame.PLATFORM),
    Reason.GROUP_LIMIT: Meaning(
        "Its group's jobs have {used} of the {limit} cores that they may have at once; the job waits for one to end.",
        Blame.PLATFORM,
    ),
    Reason.BACK_OFF: Meaning(
        "Machines for it keep failing, so that no more are ordered for a while: {detail}.",
        Blame.PROVIDER,
        "It is tried again by itself; if it persists tell the operator.",
    ),
    Reason.NO_CAPACITY: Meaning("No cloud has room at the moment: {detail}.", Blame.PROVIDER),
    Reason.NO_FLAVOUR_FITS: Meaning(
        "No worker of this pool can ever run it: {detail}.",
        Blame.USER,
        "Ask for less, or ask the operator for a flavour that has it.",
    ),
    Reason.NO_FLAVOUR_LASTS: Meaning(
        "No worker of this pool is there for as long as the job may run: {detail}.",
        Blame.USER,
        "Ask for a shorter resources.walltime, or ask the operator for a flavour that lasts longer.",
    ),
    Reason.NO_SUCH_PLACE: Meaning(
        "No cloud of this pool is where the job must run: {detail}.",
        Blame.USER,
        "Change policies.placement, or wait until there is one.",
    ),
    Reason.POOL_UNKNOWN: Meaning(
        "Nothing can be decided about the pool at present: {detail}.",
        Blame.PLATFORM,
        "It passes when all parts of the service answer again; if it lasts tell the operator.",
    ),
    Reason.SCALER_SILENT: Meaning(
        "Nothing is known of what the scaler intends: {detail}.",
        Blame.PLATFORM,
        "Workers that are there go on taking jobs; if it lasts tell the operator.",
    ),
    Reason.HELD_BY_USER: Meaning("The job is on hold; it will not start.", Blame.USER, "Release it, or delete it."),
    Reason.HELD_BY_OPERATOR: Meaning(
        "An operator has put the job on hold; it will not start.", Blame.PLATFORM, "Ask the operator, or delete it."
    ),
    Reason.HELD_FOR_BUDGET: Meaning(
        "The budget of its group {group} leaves no room for it; it will not start.",
        Blame.USER,
        "Look at `prominence budget`, and ask the operator for more, or wait: it goes on by itself as soon as there is "
        "room.",
    ),
    Reason.SUSPENDED: Meaning("The job's worker has suspended it; it goes on by itself.", Blame.PLATFORM),
    Reason.TASK_FAILED: Meaning(
        "Task {task} ended with exit code {exit_code}.", Blame.USER, "Look at the job's stdout and stderr."
    ),
    Reason.COMMAND_NOT_FOUND: Meaning(
        "Task {task}: {detail}.", Blame.USER, "Check cmd against the programs that the image holds."
    ),
    Reason.IMAGE_NOT_FOUND: Meaning(
        "The image {image} could not be fetched: {detail}.",
        Blame.USER,
        "Check the image's name, and that it can be read without a password or with the task's imagePullCredential.",
    ),
    Reason.IMAGE_REFUSED: Meaning(
        "The image {image} could not be fetched: {detail}.",
        Blame.USER,
        "Give the task an imagePullCredential with which the image can be read.",
    ),
    Reason.IMAGE_UNAVAILABLE: Meaning(
        "The image {image} could not be fetched: {detail}, however often it was tried.",
        Blame.PROVIDER,
        "Try again; if it persists ask whoever runs the server that it comes from.",
    ),
    Reason.IMAGE_PULL_FAILED: Meaning(
        "The image {image} could not be fetched: {detail}.", Blame.USER, "Check the image, and that it can be had."
    ),
    Reason.NO_RUNTIME: Meaning(
        "The worker has no container runtime for this task: {detail}.", Blame.PLATFORM, "Tell the operator."
    ),
    Reason.ARTIFACT_NOT_FOUND: Meaning(
        "The artifact {name} could not be fetched: {detail}.",
        Blame.USER,
        "Check its name or address, and that it can be read from the worker without a password.",
    ),
    Reason.ARTIFACT_DOWNLOAD_FAILED: Meaning(
        "The artifact {name} could not be fetched: {detail}.",
        Blame.PROVIDER,
        "Try again; if it persists ask whoever runs the server.",
    ),
    Reason.ARTIFACT_UNPACK_FAILED: Meaning(
        "The artifact {name} could not be unpacked: {detail}.", Blame.USER, "Look into the archive."
    ),
    Reason.STORAGE_MOUNT_FAILED: Meaning(
        "The job's storage could not be mounted: {detail}.",
        Blame.USER,
        "Check the section storage: its address, its names, and its password or key.",
    ),
    Reason.STORAGE_UNAVAILABLE: Meaning(
        "The job's storage could not be mounted: {detail}.",
        Blame.PROVIDER,
        "Try again; if it persists ask whoever runs the server.",
    ),
    Reason.STORAGE_NOT_WRITTEN: Meaning(
        "Not all that the tasks wrote has come to the job's storage: {detail}.",
        Blame.USER,
        "Check that you may write there, and that there is room.",
    ),
    Reason.CHECKPOINT_NOT_RESTORED: Meaning(
        "The job's last checkpoint could not be restored: {detail}.",
        Blame.PLATFORM,
        "Try again; if it persists tell the operator.",
    ),
    Reason.OUTPUT_NOT_FOUND: Meaning(
        "The output {name} could not be kept: {detail}.",
        Blame.USER,
        "Check outputFiles, outputDirs and stdout against what the tasks write; paths start at the job's home.",
    ),
    Reason.OUTPUT_NOT_KEPT: Meaning(
        "There is no room for the output {name}: {detail}.",
        Blame.USER,
        "Look at your quota, and delete what is no longer needed.",
    ),
    Reason.OUTPUT_UPLOAD_FAILED: Meaning(
        "The output {name} could not be stored: {detail}.",
        Blame.PLATFORM,
        "Try again; if it persists tell the operator.",
    ),
    Reason.WALLTIME_EXCEEDED: Meaning(
        "The job ran longer than its walltime: {used} of {limit}.", Blame.USER, "Ask for a longer resources.walltime."
    ),
    Reason.MEMORY_EXCEEDED: Meaning(
        "The job needed more than its memory: {used} of {limit}.", Blame.USER, "Ask for more resources.memory."
    ),
    Reason.DISK_EXCEEDED: Meaning(
        "The job kept more on the worker than its disk: {used} of {limit}.", Blame.USER, "Ask for more resources.disk."
    ),
    Reason.QUEUE_TIME_EXCEEDED: Meaning(
        "The job waited longer than its policies.maximumTimeInQueue for a worker.",
        Blame.USER,
        "Let it wait longer, or ask for less.",
    ),
    Reason.DELETED_BY_USER: Meaning("The job was deleted by the user.", Blame.USER),
    Reason.DELETED_BY_OPERATOR: Meaning("The job was deleted by an operator.", Blame.PLATFORM, "Ask the operator why."),
    Reason.INTERRUPTED: Meaning("The job was told to stop before it had finished.", Blame.PLATFORM),
    Reason.EXECUTOR_FAILED: Meaning(
        "The worker could not run the job: {detail}.",
        Blame.PLATFORM,
        "Try again; if it persists tell the operator.",
    ),
    Reason.HELD: Meaning("HTCondor holds the job: {detail}.", Blame.PLATFORM, "Tell the operator."),
    Reason.TOO_MANY_ATTEMPTS: Meaning(
        "The job was started {attempts} times and its worker was lost each time.",
        Blame.PLATFORM,
        "Tell the operator.",
    ),
    Reason.JOBS_FAILED: Meaning(
        "{failed} of its {total} jobs failed.",
        Blame.USER,
        "Look at these jobs; the workflow can then be rerun, which runs what is not done.",
    ),
    Reason.WORKFLOW_STOPPED: Meaning(
        "The workflow could not go on: {detail}.", Blame.PLATFORM, "Rerun it; if it stops again, tell the operator."
    ),
    Reason.WORKFLOW_DELETED: Meaning("The workflow that it was part of was deleted.", Blame.USER),
    Reason.WAITS_FOR_JOBS: Meaning("It waits for {detail}.", Blame.NOBODY),
    Reason.NOT_RUN: Meaning(
        "It was not run: the workflow ended before its turn came.",
        Blame.USER,
        "Put right what has failed, and rerun the workflow, which runs what is not done.",
    ),
}


def explain(reason: Reason, /, **fields: object) -> str:
    """The reason's sentence with its fields filled in, and the advice behind it.

    A field that the sentence names and the caller does not know is shown as "unknown": a user must get a
    sentence in any case.
    """
    meaning = MEANINGS[reason]
    sentence = meaning.sentence.format_map(_Known(fields))
    return f"{sentence} {meaning.advice}".strip()


class _Known(dict):  # type: ignore[type-arg]  # dict[...] as a base class needs no parameter at run time
    def __missing__(self, key: str) -> str:
        return "unknown"
