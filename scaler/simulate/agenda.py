"""What happens when in the pretended world: one thing after another."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Agenda:
    """now_s only grows, by `advance`. What is to happen at the same time happens in the order in which it was said."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0

    def at(self, when_s: float, act: Callable[[], None]) -> None:
        """Let it happen then."""
        self._order += 1
        heapq.heappush(self._events, (when_s, self._order, act))

    def advance(self) -> bool:
        """To the next event; False when there is none."""
        if not self._events:
            return False
        self.now_s, _, act = heapq.heappop(self._events)
        act()
        return True
