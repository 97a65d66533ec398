"""How often something may happen: so often a second, and at most so often at once."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Bucket:
    """Fills by `per_s` a second up to `most`; each act takes one. For several threads.

    now: seconds, by any clock that only goes forward.
    """

    def __init__(self, per_s: float, most: float, now: Callable[[], float]) -> None:
        self._per_s, self._most, self._now = per_s, most, now
        self._left, self._at = most, now()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether it may happen now; then it has."""
        with self._lock:
            now = self._now()
            self._left = min(self._most, self._left + (now - self._at) * self._per_s)
            self._at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def wait_s(self) -> float:
        """How long until it may happen."""
        with self._lock:
            return max(0.0, (1 - self._left) / self._per_s)

    def is_full(self) -> bool:
        """Whether nothing has happened for so long that it might as well be a new one."""
        with self._lock:
            return self._left + (self._now() - self._at) * self._per_s >= self._most
