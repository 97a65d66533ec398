"""How often somebody may do something: so many times within a time, each by a name of their own."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from prominence.core.errors import TooMany

_MOST_NAMES = 10_000


class Knocks:
    """Counted within windows that begin with somebody's first time. Called by several threads."""

    def __init__(self, most: int, window_s: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._window_s = window_s
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def check(self, who: str) -> None:
        """Raises TooMany when they have had all their times."""
        with self._lock:
            began, count = self._window(who)
        if count >= self._most:
            wait_s = max(1, round(began + self._window_s - self._clock()))
            raise TooMany(f"Too many requests; ask again in {wait_s} s.", retry_after_s=wait_s)

    def count(self, who: str) -> None:
        """Once more."""
        with self._lock:
            began, count = self._window(who)
            self._windows[who] = (began, count + 1)
            while len(self._windows) > _MOST_NAMES:  # those who came first are forgiven first
                self._windows.popitem(last=False)

    def _window(self, who: str) -> tuple[float, int]:
        now = self._clock()
        began, count = self._windows.get(who, (now, 0))
        if now - began >= self._window_s:
            self._windows.pop(who)
            return now, 0
        return began, count
