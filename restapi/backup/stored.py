"""The shared store as a file: what is in it, and how long it lives yet. Pure but for what it is given to write to.

It is copied as keys and values, not as etcd's own file: any etcd takes it, of any version, alone or a cluster.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import AwareDatetime, Field

from prominence.core.errors import Rejected
from prominence.core.keyvalue.port import (
    LARGEST_VALUE,
    REVISIONS_BEFORE,
    Change,
    DeleteBelow,
    Everything,
    Kept,
    KeyValue,
    Put,
)
from prominence.core.validation import Document, parse

ROOT = "/prominence/"
SIGN_OF_LIFE_S = 60
"""Leases that are shorter say that a process is there, who leads: nothing to be kept."""

_MOST_CHANGES, _MOST_BYTES = 100, LARGEST_VALUE


class _Head(Document):
    """revision: up to which the old store had got."""

    revision: int = Field(ge=0)


class _Line(Document):
    key: str
    value: str
    ends_at: AwareDatetime | None = None


_Model = TypeVar("_Model", _Head, _Line)


def written(everything: Everything, now: datetime) -> bytes:
    """A line for each key."""
    before = next((one.value for one in everything.entries if one.key == REVISIONS_BEFORE), b"0")
    lines: list[Document] = [_Head(revision=everything.revision + int(before))]
    for one in everything.entries:
        if one.key != REVISIONS_BEFORE and (one.left_s is None or one.left_s > SIGN_OF_LIFE_S):
            ends_at = None if one.left_s is None else now + timedelta(seconds=one.left_s)
            value = base64.b64encode(one.value).decode()
            lines.append(_Line(key=one.key, value=value, ends_at=ends_at))
    return b"".join(line.model_dump_json(exclude_none=True).encode() + b"\n" for line in lines)


@dataclass(frozen=True)
class Copy:
    """What was read of such a file."""

    revision: int
    entries: tuple[Kept, ...]


def read(content: bytes, now: datetime) -> Copy:
    """Without what has ended since. Raises Rejected."""
    head, *lines = content.splitlines() or [b""]
    found = []
    for line in lines:
        one = _parsed(_Line, line)
        if not one.key.startswith(ROOT):
            raise Rejected.because("is not a key of ours", ascii(one.key))
        try:
            value = base64.b64decode(one.value, validate=True)
        except ValueError as error:
            raise Rejected.because("its value is not base64", ascii(one.key)) from error
        left_s = None if one.ends_at is None else int((one.ends_at - now).total_seconds())
        if left_s is None or left_s > 0:
            found.append(Kept(one.key, value, left_s))
    return Copy(_parsed(_Head, head).revision, tuple(found))


def put_back(store: KeyValue, copy: Copy) -> None:
    """Everything of ours in the store is this afterwards. May be repeated. Raises Unavailable, Rejected."""
    store.change([DeleteBelow(ROOT)], {})
    lasting = [Put(one.key, one.value) for one in copy.entries if one.left_s is None]
    for batch in _batches([Put(REVISIONS_BEFORE, str(copy.revision).encode()), *lasting]):
        store.change(batch, {})
    for one in copy.entries:
        if one.left_s is not None:
            store.put_if(one.key, one.value, None, store.lease(one.left_s))


def _batches(puts: Sequence[Put]) -> Iterator[Sequence[Change]]:
    """As many at once as etcd takes in one request."""
    batch: list[Put] = []
    size = 0
    for put in puts:
        if batch and (len(batch) == _MOST_CHANGES or size + len(put.value) > _MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(put)
        size += len(put.value) + len(put.key)
    yield batch


def _parsed(model: type[_Model], line: bytes) -> _Model:
    try:
        return parse(model, json.loads(line))
    except (ValueError, RecursionError) as error:
        raise Rejected.because("a line of the shared store's copy is not JSON") from error
