"""What the containers of one session use, and the end of those that use too much of it."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import Callable, Iterator, List, Optional, Sequence, Set

from prominence.executor import diskuse
from prominence.executor.broker.engine import Engine
from prominence.executor.broker.enginesocket import EngineRefused, EngineUnavailable
from prominence.executor.usage import Meter, Usage

Kill = Callable[[], None]


class Watches:
    """containers: those that the session has now."""

    def __init__(self, engine: Engine, containers: Callable[[], List[str]]) -> None:
        self._engine = engine
        self._containers = containers
        self._seats: Set[int] = set()
        self._changing = threading.Lock()

    @contextmanager
    def metered(self, container: str) -> Iterator[Meter]:
        """One container's use."""

        def look() -> Optional[Usage]:
            with suppress(EngineRefused, EngineUnavailable):
                return self._engine.usage(container)
            return None

        meter = Meter(look)
        try:
            yield meter
        finally:
            meter.stop()

    @contextmanager
    def disk(
        self, limit_kib: Optional[int], loaded_kib: Callable[[], int], directories: Sequence[str], kill: Kill
    ) -> Iterator[Optional[diskuse.Watch]]:
        """A container whose session keeps more than its slot's disk is killed. None: nobody knows how much that is.

        loaded_kib: what is kept beside the directories and the containers' own layers.
        """
        if limit_kib is None:
            yield None
            return
        enough_kib = limit_kib

        def used_kib() -> int:
            own_kib = loaded_kib() + self._of_all(self._engine.layer_kib)
            return own_kib + diskuse.used_kib(directories, enough_kib)

        watch = diskuse.Watch(used_kib, enough_kib, kill)
        try:
            yield watch
        finally:
            watch.stop()

    @contextmanager
    def memory(self, limit_kib: int, seat: int, kill: Kill) -> Iterator[diskuse.Watch]:
        """A container is killed when all of the session use more memory together than it may alone.

        That is the task's, and while there is none the first of those beside it: the others' watches see nothing.
        """
        with self._changing:
            self._seats.add(seat)
        watch = diskuse.Watch(lambda: self._together_kib(seat), limit_kib, kill)
        try:
            yield watch
        finally:
            watch.stop()
            with self._changing:
                self._seats.discard(seat)

    def _together_kib(self, seat: int) -> int:
        with self._changing:
            is_first = seat == min(self._seats, default=seat)
        return self._of_all(self._memory_kib) if is_first else 0

    def _memory_kib(self, container: str) -> int:
        used = self._engine.usage(container)
        return 0 if used is None else used.memory_kib

    def _of_all(self, figure: Callable[[str], int]) -> int:
        """A figure of each container, summed up. What is there no more uses nothing."""
        total = 0
        for container in self._containers():
            with suppress(EngineRefused, EngineUnavailable):
                total += figure(container)
        return total
