"""Users' keys and values: small texts that a user's jobs and scripts share.

Each user has a namespace of their own in the shared store. Its name is the whole user name, quoted so that it holds
no "/", with a "/" behind it: whatever a user asks for begins with that, and no two users' begin alike.

How many keys a user has, and how many bytes, is kept in one more key, and changed together with them or not at all.
So of two that write at once one is refused and looks again; that also makes compare-and-swap exact.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from prominence.core.errors import Conflict, NotFound, QuotaReached, Rejected, Unavailable
from prominence.core.keyvalue.port import Change, Delete, DeleteBelow, Entry, KeyValue, Put
from prominence.core.validation import SPELLING, Document

LONGEST_KEY = 1024
"""Bytes in UTF-8."""

SCHEMA: dict[str, Any] = {
    "type": "string",
    SPELLING: "must be text without control characters, //, and . or .. between slashes",
    "pattern": r"^(?!.*//)(?!(?:.*/)?\.{1,2}(?:/|$))/?[^/\x00-\x1f\x7f-\x9f\ufffd][^\x00-\x1f\x7f-\x9f\ufffd]*$",
    "maxLength": LONGEST_KEY,
}
"""Of a key, as far as a schema can tell it: its length is in bytes."""

_KEYS = "/prominence/kv/keys"
_USAGE = "/prominence/kv/usage"

_ATTEMPTS = 64
"""More than there are requests at once. Of all that write at the same time one is done each time."""

_NO_CHARACTERS = frozenset({"Cc", "Cs"})

T = TypeVar("T")


class NoSuchKey(NotFound):
    """There is no such key. The one thing that is not there and is said so by 404."""

    def __init__(self, key: str) -> None:
        super().__init__(f"No such key: {key}")


@dataclass(frozen=True)
class KvLimits:
    """value: bytes of one value. keys, total: how many keys, and bytes of keys and values, a user may have."""

    value: int = 16_000
    keys: int = 10_000
    total: int = 10_000_000


class Usage(Document):
    """What a user has."""

    keys: int = 0
    total: int = 0


class UserKeys:
    """The keys of one user."""

    def __init__(self, store: KeyValue, user: str, limits: KvLimits) -> None:
        self._store = store
        self._limits = limits
        self._below = f"{_namespace(_KEYS, user)}/"
        self._usage_key = _namespace(_USAGE, user)

    def keys(self, prefix: str) -> list[str]:
        """The keys that start with `prefix`, sorted, each with the "/" that old clients expect before it."""
        below = self._below + checked(prefix, may_be_empty=True)
        return [f"/{key.removeprefix(self._below)}" for key in self._store.keys(below)]

    def values(self, prefix: str) -> list[dict[str, str]]:
        """The same, each with its value."""
        below = self._below + checked(prefix, may_be_empty=True)
        return [{f"/{entry.key.removeprefix(self._below)}": entry.value.decode()} for entry in self._store.list(below)]

    def get(self, key: str) -> str:
        """The value of a key. Raises NoSuchKey."""
        key = checked(key)
        entry = self._store.get(self._below + key)
        if entry is None:
            raise NoSuchKey(key)
        return entry.value.decode()

    def set(self, key: str, value: bytes, previous: str | None = None) -> bytes | None:
        """Set a key; what it was before. previous: only if that is its value; "" if there must be no such key.

        Raises Rejected for a value that cannot be and one that is another than `previous`, QuotaReached.
        """
        key = checked(key)
        self._check_value(value)
        return self._again_until_nobody_was_first(lambda: self._set(key, value, previous))

    def delete(self, key: str) -> bytes | None:
        """Delete a key; what it was. What is not there is fine."""
        key = checked(key)
        return self._again_until_nobody_was_first(lambda: self._delete(key))

    def delete_below(self, prefix: str) -> Usage:
        """Delete every key that starts with `prefix`, with "" all that the user has; how much that was."""
        below = self._below + checked(prefix, may_be_empty=True)
        return self._again_until_nobody_was_first(lambda: self._delete_below(below))

    def usage(self) -> Usage:
        """How much the user has."""
        return self._usage()[0]

    def _set(self, key: str, value: bytes, previous: str | None) -> bytes | None:
        usage, expected = self._usage()
        before = self._store.get(self._below + key)
        if previous is not None and _text(before) != previous:
            raise Rejected.because(f"{key} has another value by now, so it was left as it is", "prev")
        more = len(value) - len(before.value) if before else _size(key, value)
        after = Usage(keys=usage.keys + (before is None), total=usage.total + more)
        if more > 0:
            self._check_quota(after)
        expected[self._below + key] = before.revision if before else 0
        self._write([Put(self._below + key, value)], after, expected)
        return before.value if before else None

    def _delete(self, key: str) -> bytes | None:
        usage, expected = self._usage()
        before = self._store.get(self._below + key)
        if before is not None:
            expected[self._below + key] = before.revision
            left = Usage(keys=usage.keys - 1, total=usage.total - _size(key, before.value))
            self._write([Delete(self._below + key)], left, expected)
        return before.value if before else None

    def _delete_below(self, below: str) -> Usage:
        # No expectation for each key: who writes one of them meanwhile writes the usage too.
        usage, expected = self._usage()
        gone = self._store.list(below)
        less = self._sum(gone)
        if gone:
            left = Usage(keys=usage.keys - less.keys, total=usage.total - less.total)
            self._write([DeleteBelow(below)], left, expected)
        return less

    def _write(self, changes: list[Change], usage: Usage, expected: dict[str, int]) -> None:
        self._store.change([*changes, Put(self._usage_key, usage.model_dump_json().encode())], expected)

    def _usage(self) -> tuple[Usage, dict[str, int]]:
        """How much there is, and the revision that says so. Counted anew when nobody has, or it cannot be read."""
        entry = self._store.get(self._usage_key)
        expected = {self._usage_key: entry.revision if entry else 0}
        try:
            if entry is not None:
                return Usage.model_validate_json(entry.value), expected
        except ValidationError:
            pass  # written by another version of ours
        return self._sum(self._store.list(self._below)), expected

    def _sum(self, entries: Iterable[Entry]) -> Usage:
        sizes = [_size(entry.key.removeprefix(self._below), entry.value) for entry in entries]
        return Usage(keys=len(sizes), total=sum(sizes))

    def _check_value(self, value: bytes) -> None:
        if not value:
            raise Rejected.because("a value is needed: it is the body of the request")
        if len(value) > self._limits.value:
            raise Rejected.because(f"the value has {len(value)} bytes; the limit is {self._limits.value}")
        try:
            value.decode()
        except UnicodeDecodeError as error:
            raise Rejected.because("the value is not text in UTF-8; encode other data, in base64 for one") from error

    def _check_quota(self, after: Usage) -> None:
        if after.keys > self._limits.keys:
            raise QuotaReached(f"A user may have {self._limits.keys} keys; delete some first.")
        if after.total > self._limits.total:
            raise QuotaReached(f"A user's keys and values may have {self._limits.total} bytes; delete some first.")

    def _again_until_nobody_was_first(self, act: Callable[[], T]) -> T:
        for _ in range(_ATTEMPTS):
            try:
                return act()
            except Conflict:
                continue
        raise Unavailable("Too many are writing your keys at this moment.", 1)


def checked(key: str, may_be_empty: bool = False) -> str:
    """A key as it is kept: without the "/" before it. Raises Rejected for what no key can be."""
    key = key.lstrip("/")
    if not key and not may_be_empty:
        raise Rejected.because("the name of a key is needed")
    if "�" in key or any(unicodedata.category(one) in _NO_CHARACTERS for one in key):
        raise Rejected.because(f"{ascii(key)} is no key: it must be text in UTF-8 without control characters")
    if len(key.encode()) > LONGEST_KEY:
        raise Rejected.because(f"a key may have {LONGEST_KEY} bytes at most")
    # On its way here a program may take these for parts of an address, and ask for another key.
    if {".", ".."} & set(key.split("/")) or "//" in key:
        raise Rejected.because(f"{ascii(key)} is no key: it must not hold //, nor . or .. between slashes")
    return key


def _namespace(kind: str, user: str) -> str:
    return f"{kind}/{quote(user, safe='')}"


def _text(entry: Entry | None) -> str:
    return entry.value.decode() if entry else ""


def _size(key: str, value: bytes) -> int:
    return len(key.encode()) + len(value)
