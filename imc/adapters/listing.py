"""What a cloud listed lately, so that it is not asked at every look, and is once something was changed there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Seen = TypeVar("Seen")


class Listing(Generic[Seen]):
    """clock: in seconds. keep_s: for how long a look holds."""

    def __init__(self, clock: Callable[[], float], keep_s: float) -> None:
        self._clock, self._keep_s = clock, keep_s
        self._seen: tuple[Seen, float] | None = None
        self._acts = 0
        self._lock = threading.Lock()

    @property
    def age_s(self) -> float | None:
        """Of what is known; None: nothing is."""
        seen = self._seen
        return None if seen is None else self._clock() - seen[1]

    def get(self, look: Callable[[], Seen]) -> Seen:
        """What was seen, or is seen now. Raises what `look` does."""
        with self._lock:
            seen, acts = self._seen, self._acts
        if seen is not None and self._clock() - seen[1] < self._keep_s:
            return seen[0]
        found = look()
        with self._lock:
            if acts == self._acts:  # else something has happened while we looked
                self._seen = found, self._clock()
        return found

    @contextmanager
    def acting(self) -> Iterator[None]:
        """What was seen before or during an act is not what is."""
        self._forget()
        try:
            yield
        finally:
            self._forget()

    def _forget(self) -> None:
        with self._lock:
            self._seen = None
            self._acts += 1
