"""What is told of objects: where they are got and put, and how much may be kept."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from prominence.restapi.answers.words import Bytes, Epoch


class ObjectShown(TypedDict):
    """An object."""

    name: Annotated[str, Field(description="With GROUP/ before it, of a group's.")]
    size: Annotated[Bytes, Field(description="In bytes.")]
    lastModified: Annotated[str, Field(description="As HTTP writes dates.")]
    expireTime: Epoch


class CheckpointAddress(TypedDict):
    """Where a job puts a checkpoint, and what it is called."""

    name: Annotated[str, Field(description="To say when it is there.")]
    url: Annotated[str, Field(description="Where to PUT it.")]
    headers: NotRequired[Annotated[dict[str, str], Field(description="To be sent with it.")]]


class PutAddress(TypedDict):
    """Send the content there with PUT, and these headers with it."""

    url: Annotated[str, Field(description="Where to.")]
    headers: NotRequired[Annotated[dict[str, str], Field(description="To be sent with it.")]]
    tells_checksum: NotRequired[
        Annotated[bool, Field(description="Whether the answer tells the SHA-256 of what arrived, in `Repr-Digest`.")]
    ]


class UploadAddress(TypedDict):
    """Send the content there: with PUT, or where there are fields as a form with POST, the file last."""

    url: Annotated[str, Field(description="Where to.")]
    fields: NotRequired[Annotated[dict[str, str], Field(description="Of a form; absent: PUT it.")]]


class InputAddress(TypedDict):
    """Get the object there."""

    url: Annotated[str, Field(description="Where from.")]
    size: Annotated[Bytes, Field(description="In bytes.")]
    sha256: NotRequired[Annotated[str, Field(description="Of its content, where known.")]]


class PassedNames(TypedDict):
    """Outputs of another job, in the order of their names, and of each whether it is the archive of a directory."""

    names: Annotated[list[str], Field(description="Of outputs.")]
    directories: Annotated[list[bool], Field(description="Of each, whether it is the archive of a directory.")]
    more: Annotated[bool, Field(description="Whether there are others behind these.")]


class Space(TypedDict):
    """Bytes that a user or a group uses, and may."""

    uploads: Annotated[Bytes, Field(description="Bytes of uploads.")]
    outputs: Annotated[Bytes, Field(description="Bytes of outputs of jobs.")]
    used: Annotated[Bytes, Field(description="Both.")]
    quota: Annotated[Bytes, Field(description="What may be used.")]


class Lifetimes(TypedDict):
    """For how many seconds what is kept."""

    uploads: Annotated[int, Field(description="Seconds.")]
    outputs: Annotated[int, Field(description="Seconds.")]
    jobs: Annotated[int, Field(description="Seconds, from their end.")]


class Quota(TypedDict):
    """What the caller and their groups use."""

    user: Annotated[Space, Field(description="The caller's own.")]
    groups: Annotated[dict[str, Space], Field(description="By name.")]
    largestObject: Annotated[int, Field(description="Bytes.")]
    lifetimes: Annotated[Lifetimes, Field(description="How long what is kept.")]
