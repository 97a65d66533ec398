"""What was found to be so a moment ago and need not be looked up again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta


class Recently:
    """Remembers for a short time, and only what was so: what was not may be so in the next moment."""

    def __init__(self, kept: timedelta, most: int = 10_000) -> None:
        self._kept, self._most = kept, most
        self._found_at: dict[str, datetime] = {}

    def is_so(self, key: str, now: datetime, look: Callable[[], bool]) -> bool:
        """Whether it is so, by what was found or else by looking."""
        found_at = self._found_at.get(key)
        if found_at is not None and found_at <= now < found_at + self._kept:
            return True
        if not look():
            self._found_at.pop(key, None)
            return False
        if len(self._found_at) >= self._most:
            self._found_at.clear()
        self._found_at[key] = now
        return True
