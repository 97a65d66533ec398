"""The promise of the shared store, and its errors.

Every write has a revision, one counter for the whole store that only grows. A write that names the revision it
expects is refused with Conflict when somebody else was first. When the store does not answer, every verb raises
Unavailable; a write that raised Unavailable may have happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from prominence.core.errors import Rejected

ABSENT = 0
"""As an expected revision: there must be no such key."""

LARGEST_VALUE = 1_000_000
"""In bytes. etcd takes requests of 1.5 MiB."""


@dataclass(frozen=True)
class Entry:
    """A key with its value and the revision of its last write."""

    key: str
    value: bytes
    revision: int


REVISIONS_BEFORE = "/prominence/store/revisions-before"
"""How far another store had counted whose content this one was given: who leads now must come after who led there."""


@dataclass(frozen=True)
class Kept:
    """A key with its value as a backup has it. left_s: for how long yet, where that is limited by a lease."""

    key: str
    value: bytes
    left_s: int | None


@dataclass(frozen=True)
class Everything:
    """Of a store at one moment. revision: the last write's."""

    revision: int
    entries: Sequence[Kept]


@dataclass(frozen=True)
class Put:
    """Write a key."""

    key: str
    value: bytes


@dataclass(frozen=True)
class Delete:
    """Delete a key, if it is there."""

    key: str


@dataclass(frozen=True)
class DeleteBelow:
    """Delete every key that starts with `prefix`, which is not empty."""

    prefix: str


Change = Put | Delete | DeleteBelow


class Lease(Protocol):
    """A promise to be alive. Keys written under it vanish when it is not refreshed for its time to live."""

    def refresh(self) -> None:
        """Start its time anew. Raises Conflict when it has run out already."""

    def revoke(self) -> None:
        """End it now, with its keys. Revoking what has run out is fine."""


class KeyValue(Protocol):
    """A small store that several processes share."""

    def get(self, key: str) -> Entry | None:
        """The entry, or None when there is none."""

    def list(self, prefix: str) -> list[Entry]:
        """All entries whose keys start with `prefix`, sorted by key."""

    def keys(self, prefix: str) -> Sequence[str]:
        """The keys that start with `prefix`, sorted: a list without the values."""

    def change(self, changes: Sequence[Change], expected: Mapping[str, int]) -> None:
        """Make all these changes at once, if each key in `expected` has that revision; else none of them.

        No two of them touch the same key. Raises Conflict, and Rejected when a value is too large.
        """

    def put_if(self, key: str, value: bytes, expected: int | None, lease: Lease | None = None) -> int:
        """Write if the key's revision is `expected` (None: whatever it is) and return the new revision.

        Raises Conflict when it is another or the lease has run out, Rejected when the value is too large.
        """

    def delete_if(self, key: str, expected: int | None) -> None:
        """Delete if the key's revision is `expected` (None: whatever it is).

        Deleting what is not there is fine when nothing is expected. Raises Conflict when it is another.
        """

    def lease(self, ttl_s: int) -> Lease:
        """A new lease that lives `ttl_s` seconds after each refresh, or a little longer."""


class Copied(Protocol):
    """A store whose content can be copied as a whole."""

    def everything(self, prefix: str) -> Everything:
        """All entries whose keys start with `prefix`, sorted by key, as they are at one moment."""


def check_size(key: str, value: bytes) -> None:
    """Raises Rejected for a value that no store needs to take."""
    if len(value) > LARGEST_VALUE:
        raise Rejected.because(f"{len(value)} bytes are too many for one value; the limit is {LARGEST_VALUE}", key)
