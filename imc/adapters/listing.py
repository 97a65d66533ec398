"""What a cloud listed lately, so that it is not asked at every look, and is once something was changed there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from prominence.core.errors import ProminenceError

Seen = TypeVar("Seen")

_TIMES = 3


class Spared(Generic[Seen]):
    """Looks at a cloud, which is left alone for a while when it is in trouble: it may take long to say nothing.

    imc waits meanwhile, and may lose its lead by that: most of its rounds must not. least_s: the shortest while.
    """

    def __init__(self, clock: Callable[[], float], least_s: float) -> None:
        self._clock, self._least_s = clock, least_s
        self._trouble: tuple[ProminenceError, float] | None = None

    @property
    def is_in_trouble(self) -> bool:
        """The last look has failed."""
        return self._trouble is not None

    def ask(self, look: Callable[[], Seen]) -> Seen:
        """What is seen now. Raises what `look` does, or did a while ago."""
        began = self._clock()
        if self._trouble and began < self._trouble[1]:
            raise self._trouble[0].with_traceback(None)
        self._trouble = None
        try:
            return look()
        except ProminenceError as error:
            now = self._clock()
            self._trouble = (error, now + max(self._least_s, _TIMES * (now - began)))
            raise


class Listing(Generic[Seen]):
    """clock: in seconds. keep_s: for how long a look holds, and one in trouble is left alone at least."""

    def __init__(self, clock: Callable[[], float], keep_s: float) -> None:
        self._clock, self._keep_s = clock, keep_s
        self._spared: Spared[Seen] = Spared(clock, keep_s)
        self._seen: tuple[Seen, float] | None = None
        self._acts = 0
        self._lock = threading.Lock()

    @property
    def age_s(self) -> float | None:
        """Of what is known; None: nothing is."""
        seen = self._seen
        return None if seen is None else self._clock() - seen[1]

    @property
    def is_in_trouble(self) -> bool:
        """The last look has failed."""
        return self._spared.is_in_trouble

    def get(self, look: Callable[[], Seen]) -> Seen:
        """What was seen, or is seen now. Raises what `look` does, or did a while ago."""
        with self._lock:
            seen, acts = self._seen, self._acts
        if seen is not None and self._clock() - seen[1] < self._keep_s:
            return seen[0]
        found = self._spared.ask(look)
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
