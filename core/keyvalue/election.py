"""Who may act: at most one of several processes, by a lease on a key of the shared store."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass

from prominence.core.errors import Conflict, Unavailable
from prominence.core.keyvalue.port import ABSENT, REVISIONS_BEFORE, KeyValue, Lease


class Election:
    """One candidate, for all threads of a process. Whoever leads calls `lead` more often than every `ttl_s` seconds.

    A leader that was paused for longer learns of it at its next call only. So whatever it orders carries its fence,
    and whoever takes orders refuses a fence lower than one it has seen.
    """

    def __init__(self, store: KeyValue, key: str, me: str, ttl_s: int) -> None:
        self._store = store
        self._key = key
        self._me = me
        self._ttl_s = ttl_s
        self._held: _Held | None = None
        self._lock = threading.Lock()

    def lead(self) -> int | None:
        """Become or stay the leader: the fence, or None while somebody else leads.

        The fence stays the same for as long as leadership does and is higher for every later leader. Raises
        Unavailable when the store does not answer: we may lead or not, and must not act.
        """
        with self._lock:
            if self._held and self._still(self._held):
                return self._held.fence
            self._held = self._stand()
            return self._held.fence if self._held else None

    def resign(self) -> None:
        """Let somebody else lead at once. When the store does not answer, the lease will run out by itself."""
        with self._lock:
            if self._held:
                with suppress(Unavailable):
                    self._held.lease.revoke()
                self._held = None

    def _still(self, held: _Held) -> bool:
        try:
            held.lease.refresh()
        except Conflict:
            return False
        entry = self._store.get(self._key)
        return entry is not None and entry.revision == held.revision

    def _stand(self) -> _Held | None:
        if self._store.get(self._key) is not None:
            return None
        before = self._store.get(REVISIONS_BEFORE)
        lease = self._store.lease(self._ttl_s)
        # If the store falls silent here, our key may have been written. Nobody refreshes it, so it goes by itself.
        try:
            revision = self._store.put_if(self._key, self._me.encode(), ABSENT, lease)
        except Conflict:
            lease.revoke()
            return None
        return _Held(lease, revision, revision + (int(before.value) if before else 0))


@dataclass(frozen=True)
class _Held:
    lease: Lease
    revision: int
    fence: int
