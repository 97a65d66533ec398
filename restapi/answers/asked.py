"""What is told of a job as its user wrote it: tasks, resources, policies, files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, NotRequired

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from prominence.core.credentials import ImagePullCredential
from prominence.core.files import Artifact, InputFile, Passed
from prominence.core.notifications import Channel, Notification
from prominence.core.policies import Checkpoint, PlacementPolicy, Policies
from prominence.core.resources import Gpus, Resources
from prominence.core.storage import S3, B2Drop, OneData, Storage, StorageType, WebDav
from prominence.core.task import Task, TaskType
from prominence.restapi.answers.words import Bytes


def as_in(model: type[BaseModel]) -> ConfigDict:
    """What is told of such a thing: its fields mean what they mean in the model, where nothing else is said of them."""

    def describe(schema: dict[str, Any]) -> None:
        told = {field.alias or name: field.description for name, field in model.model_fields.items()}
        for name, field in schema["properties"].items():
            if "description" not in field and told.get(name):
                field["description"] = told[name]

    extra: Callable[[dict[str, Any]], None] = describe
    return ConfigDict(json_schema_extra=extra)


class CredentialShown(TypedDict):
    """By which an image is fetched: the user's name, and *** in place of the token."""

    __pydantic_config__ = as_in(ImagePullCredential)  # type: ignore[misc]

    username: str
    token: str


class TaskShown(TypedDict):
    """One task of a job. Others than its user are told its image and runtime."""

    __pydantic_config__ = as_in(Task)  # type: ignore[misc]

    image: str
    imageSha256: NotRequired[str]
    runtime: NotRequired[str]
    type: NotRequired[TaskType]
    procsPerNode: NotRequired[int]
    cmd: NotRequired[str]
    env: NotRequired[dict[str, str]]
    workdir: NotRequired[str]
    app: NotRequired[str]
    stdout: NotRequired[str]
    imagePullCredential: NotRequired[CredentialShown]


class GpusShown(TypedDict):
    """GPUs that a job asks for."""

    __pydantic_config__ = as_in(Gpus)  # type: ignore[misc]

    count: int
    minimumMemory: NotRequired[float]
    capability: NotRequired[float]


class ResourcesShown(TypedDict):
    """As the job asks, and what the site has given it where it says nothing."""

    __pydantic_config__ = as_in(Resources)  # type: ignore[misc]

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

    __pydantic_config__ = as_in(Checkpoint)  # type: ignore[misc]

    path: str
    interval: NotRequired[float]


class PoliciesShown(TypedDict):
    """What the job says of how it is treated."""

    __pydantic_config__ = as_in(Policies)  # type: ignore[misc]

    maximumRetries: NotRequired[int]
    maximumTaskRetries: NotRequired[int]
    maximumTimeInQueue: NotRequired[int]
    priority: NotRequired[int]
    ignoreTaskFailures: NotRequired[bool]
    reportJobSuccessOnTaskFailure: NotRequired[bool]
    runSerialTasksOnAllNodes: NotRequired[bool]
    leaveInQueue: NotRequired[bool]
    placement: NotRequired[PlacementPolicy]
    preemptible: NotRequired[bool]
    checkpoint: NotRequired[CheckpointPolicyShown]


class NotificationShown(TypedDict):
    """A message to the job's user."""

    __pydantic_config__ = as_in(Notification)  # type: ignore[misc]

    event: Literal["jobFinished"]
    type: Channel


class InputShown(TypedDict):
    """A small file that came with the job."""

    __pydantic_config__ = as_in(InputFile)  # type: ignore[misc]

    filename: str
    executable: NotRequired[bool]


class ArtifactShown(TypedDict):
    """A file that the job fetches."""

    __pydantic_config__ = as_in(Artifact)  # type: ignore[misc]

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
PassedShown.__pydantic_config__ = as_in(Passed)  # type: ignore[attr-defined]  # where pydantic looks for it


class WebDavShown(TypedDict):
    """*** in place of the password."""

    __pydantic_config__ = as_in(WebDav)  # type: ignore[misc]

    url: str
    username: str
    password: str


B2DropShown = TypedDict("B2DropShown", {"app-username": str, "app-password": str})
"""*** in place of the password."""
B2DropShown.__pydantic_config__ = as_in(B2Drop)  # type: ignore[attr-defined]


class S3Shown(TypedDict):
    """*** in place of the secret key."""

    __pydantic_config__ = as_in(S3)  # type: ignore[misc]

    endpoint: str
    bucket: str
    prefix: NotRequired[str]
    accessKey: str
    secretKey: str
    region: NotRequired[str]


class OneDataShown(TypedDict):
    """*** in place of the token."""

    __pydantic_config__ = as_in(OneData)  # type: ignore[misc]

    provider: str
    token: str
    options: NotRequired[str]


class StorageShown(TypedDict):
    """Storage of the user's own that tasks see at a path."""

    __pydantic_config__ = as_in(Storage)  # type: ignore[misc]

    type: StorageType
    mountpoint: str
    directory: NotRequired[str]
    webdav: NotRequired[WebDavShown]
    b2drop: NotRequired[B2DropShown]
    s3: NotRequired[S3Shown]
    onedata: NotRequired[OneDataShown]


class OutputShown(TypedDict):
    """What the job keeps, or was to keep."""

    name: Annotated[str, Field(description="Its path in the job's home.")]
    url: Annotated[str, Field(description="To GET it, without a token; empty: it is not kept.")]
    size: NotRequired[Annotated[Bytes, Field(description="In bytes.")]]
