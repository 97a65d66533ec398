"""KeyValue in this process, for unit tests: same promise, pretend clock, faults on request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from prominence.core.errors import Conflict, Unavailable
from prominence.core.keyvalue.port import (
    Change,
    Delete,
    DeleteBelow,
    Entry,
    Everything,
    Kept,
    Lease,
    Put,
    check_size,
)


class MemoryKeyValue:
    """Set `unavailable` to a sentence and every verb raises Unavailable with it, until it is empty again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.unavailable = ""
        self._clock = clock
        self._lock = threading.RLock()
        self._revision = 0
        self._entries: dict[str, _Stored] = {}
        self._deadlines: dict[int, float] = {}
        self._leases = 0

    def get(self, key: str) -> Entry | None:
        with self._lock:
            self._begin()
            stored = self._entries.get(key)
            return stored.entry if stored else None

    def list(self, prefix: str) -> list[Entry]:
        with self._lock:
            self._begin()
            return [self._entries[key].entry for key in sorted(self._entries) if key.startswith(prefix)]

    def keys(self, prefix: str) -> Sequence[str]:
        return [entry.key for entry in self.list(prefix)]

    def change(self, changes: Sequence[Change], expected: Mapping[str, int]) -> None:
        for change in changes:
            if isinstance(change, Put):
                check_size(change.key, change.value)
        with self._lock:
            self._begin()
            for key, revision in expected.items():
                self._check(key, revision)
            self._revision += 1
            for change in changes:
                self._apply(change)

    def put_if(self, key: str, value: bytes, expected: int | None, lease: Lease | None = None) -> int:
        check_size(key, value)
        with self._lock:
            self._begin()
            under = lease.id if isinstance(lease, _MemoryLease) else None
            if under is not None and under not in self._deadlines:
                raise Conflict(f"the lease for {key} has run out")
            self._check(key, expected)
            self._revision += 1
            self._entries[key] = _Stored(Entry(key, value, self._revision), under)
            return self._revision

    def delete_if(self, key: str, expected: int | None) -> None:
        with self._lock:
            self._begin()
            self._check(key, expected)
            self._entries.pop(key, None)

    def lease(self, ttl_s: int) -> Lease:
        with self._lock:
            self._begin()
            self._leases += 1
            self._deadlines[self._leases] = self._clock() + ttl_s
            return _MemoryLease(self, self._leases, ttl_s)

    def everything(self, prefix: str) -> Everything:
        with self._lock:
            self._begin()
            found = (stored for _, stored in sorted(self._entries.items()) if stored.entry.key.startswith(prefix))
            kept = [Kept(one.entry.key, one.entry.value, self._left_s(one.lease)) for one in found]
            return Everything(self._revision, kept)

    def _left_s(self, lease: int | None) -> int | None:
        return None if lease is None else round(self._deadlines[lease] - self._clock())

    def refresh(self, lease: int, ttl_s: int) -> None:
        """For the lease itself."""
        with self._lock:
            self._begin()
            if lease not in self._deadlines:
                raise Conflict("the lease has run out")
            self._deadlines[lease] = self._clock() + ttl_s

    def revoke(self, lease: int) -> None:
        """For the lease itself."""
        with self._lock:
            self._begin()
            self._end(lease)

    def _apply(self, change: Change) -> None:
        match change:
            case Put(key, value):
                self._entries[key] = _Stored(Entry(key, value, self._revision), None)
            case Delete(key):
                self._entries.pop(key, None)
            case DeleteBelow(prefix):
                for key in [key for key in self._entries if key.startswith(prefix)]:
                    del self._entries[key]

    def _begin(self) -> None:
        """What every verb does first: fail if told to, and let leases run out."""
        if self.unavailable:
            raise Unavailable(self.unavailable)
        now = self._clock()
        for lease in [lease for lease, deadline in self._deadlines.items() if deadline <= now]:
            self._end(lease)

    def _end(self, lease: int) -> None:
        self._deadlines.pop(lease, None)
        self._entries = {key: stored for key, stored in self._entries.items() if stored.lease != lease}

    def _check(self, key: str, expected: int | None) -> None:
        stored = self._entries.get(key)
        if expected is not None and expected != (stored.entry.revision if stored else 0):
            raise Conflict(f"{key} was changed by somebody else")


@dataclass(frozen=True)
class _Stored:
    entry: Entry
    lease: int | None


@dataclass(frozen=True)
class _MemoryLease:
    store: MemoryKeyValue
    id: int
    ttl_s: int

    def refresh(self) -> None:
        self.store.refresh(self.id, self.ttl_s)

    def revoke(self) -> None:
        self.store.revoke(self.id)
