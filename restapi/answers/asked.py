"""What is told of a job as its user wrote it: tasks, resources, policies, files."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from prominence.core.notifications import Channel
from prominence.core.storage import StorageType
from prominence.restapi.answers.words import Bytes


class CredentialShown(TypedDict):
    """By which an image is fetched: the user's name, and *** in place of the token."""

    username: str
    token: str


class TaskShown(TypedDict):
    """One task of a job. Others than its user are told its image and runtime."""

    image: str
    imageSha256: NotRequired[str]
    runtime: NotRequired[str]
    cmd: NotRequired[str]
    env: NotRequired[dict[str, str]]
    workdir: NotRequired[str]
    app: NotRequired[str]
    stdout: NotRequired[str]
    imagePullCredential: NotRequired[CredentialShown]


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
    totalCpusRange: NotRequired[list[int]]
    cpusOptions: NotRequired[list[int]]
    memory: NotRequired[float]
    memoryPerCpu: NotRequired[float]
    disk: NotRequired[float]
    gpus: NotRequired[GpusShown]
    walltime: NotRequired[int]


class CheckpointPolicyShown(TypedDict):
    """What is saved of the job, every so many minutes."""

    path: str
    interval: NotRequired[float]


class PoliciesShown(TypedDict):
    """What the job says of how it is treated."""

    maximumRetries: NotRequired[int]
    maximumTaskRetries: NotRequired[int]
    maximumTimeInQueue: NotRequired[int]
    priority: NotRequired[int]
    ignoreTaskFailures: NotRequired[bool]
    reportJobSuccessOnTaskFailure: NotRequired[bool]
    leaveInQueue: NotRequired[bool]
    preemptible: NotRequired[bool]
    checkpoint: NotRequired[CheckpointPolicyShown]


class NotificationShown(TypedDict):
    """A message to the job's user."""

    event: Literal["jobFinished"]
    type: Channel


class InputShown(TypedDict):
    """A small file that came with the job."""

    filename: str
    executable: NotRequired[bool]


class ArtifactShown(TypedDict):
    """A file that the job fetches."""

    url: str
    executable: NotRequired[bool]
    mountpoint: NotRequired[str]


PassedShown = TypedDict(
    "PassedShown",
    {
        "from": str,
        "select": NotRequired[str],
        "directory": NotRequired[str],
        "executable": NotRequired[bool],
        "mountpoint": NotRequired[str],
    },
)
"""What another job of its workflow passes to the job."""


class WebDavShown(TypedDict):
    """*** in place of the password."""

    url: str
    username: str
    password: str


B2DropShown = TypedDict("B2DropShown", {"app-username": str, "app-password": str})


class S3Shown(TypedDict):
    """*** in place of the secret key."""

    endpoint: str
    bucket: str
    prefix: NotRequired[str]
    accessKey: str
    secretKey: str
    region: NotRequired[str]


class OneDataShown(TypedDict):
    """*** in place of the token."""

    provider: str
    token: str
    options: NotRequired[str]


class StorageShown(TypedDict):
    """Storage of the user's own that tasks see at a path."""

    type: StorageType
    mountpoint: str
    directory: NotRequired[str]
    webdav: NotRequired[WebDavShown]
    b2drop: NotRequired[B2DropShown]
    s3: NotRequired[S3Shown]
    onedata: NotRequired[OneDataShown]


class OutputShown(TypedDict):
    """What the job keeps, or was to keep: then url is empty."""

    name: str
    url: str
    size: NotRequired[Bytes]
