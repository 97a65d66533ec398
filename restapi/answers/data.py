"""What is told of objects: where they are got and put, and how much may be kept."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from prominence.restapi.answers.words import Bytes, Epoch


class ObjectShown(TypedDict):
    """An object."""

    name: str
    size: Bytes
    lastModified: Annotated[str, Field(description="As HTTP writes dates.")]
    expireTime: Epoch


class CheckpointAddress(TypedDict):
    """Where a job puts a checkpoint, and what it is called."""

    name: str
    url: str
    headers: NotRequired[dict[str, str]]


class PutAddress(TypedDict):
    """Send the content there with PUT, and these headers with it."""

    url: str
    headers: NotRequired[dict[str, str]]
    tells_checksum: NotRequired[
        Annotated[bool, Field(description="Whether the answer tells the SHA-256 of what arrived, in `Repr-Digest`.")]
    ]


class UploadAddress(TypedDict):
    """Send the content there: with PUT, or where there are fields as a form with POST, the file last."""

    url: str
    fields: NotRequired[dict[str, str]]


class InputAddress(TypedDict):
    """Get the object there."""

    url: str
    size: Bytes
    sha256: NotRequired[str]


class PassedNames(TypedDict):
    """Outputs of another job, in the order of their names, and of each whether it is the archive of a directory."""

    names: list[str]
    directories: list[bool]
    more: Annotated[bool, Field(description="Whether there are others behind these.")]


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
