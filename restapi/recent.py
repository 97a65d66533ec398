"""A memory of what was found out a moment ago: for some time, and of so many things at most."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class Recent(Generic[V]):
    """By key. What is too old is forgotten, and of too many what was put first. For several threads.

    now: seconds, by any clock that only goes forward.
    """

    def __init__(self, seconds: float, most: int, now: Callable[[], float]) -> None:
        self._seconds, self._most, self._now = seconds, most, now
        self._known: OrderedDict[str, tuple[float, V]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> V | None:
        """What was put, if it is not too old."""
        with self._lock:
            found = self._known.get(key)
            if found is None or found[0] <= self._now():
                self._known.pop(key, None)
                return None
            return found[1]

    def find(self, key: str, look: Callable[[], V]) -> V:
        """What was put; else what is found now, which is put. Raises what `look` does."""
        found = self.get(key)
        if found is None:
            found = look()
            self.put(key, found)
        return found

    def put(self, key: str, value: V, seconds: float | None = None) -> None:
        """Remember it; `seconds` for another time than usual."""
        with self._lock:
            self._known[key] = (self._now() + (self._seconds if seconds is None else seconds), value)
            self._known.move_to_end(key)
            while len(self._known) > self._most:
                self._known.popitem(last=False)

    def forget(self, key: str) -> None:
        """As if it had never been put."""
        with self._lock:
            self._known.pop(key, None)
