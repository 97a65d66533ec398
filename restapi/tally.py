"""How it stands with each of many, as it was found a moment ago and with what was taken here since.

It is kept in this process: behind several of them the same may be taken once in each, until they look again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from prominence.restapi.recent import Recent

FULL_IS_GOOD_FOR_S = 2

Standing = TypeVar("Standing")


@dataclass
class _Known(Generic[Standing]):
    standing: Standing


class Tally(Generic[Standing]):
    """By key. good_for_s: for how long a look is. most: keys that are remembered. now: as in `Recent`."""

    def __init__(self, good_for_s: float, most: int, now: Callable[[], float]) -> None:
        self._known: Recent[_Known[Standing]] = Recent(good_for_s, most, now)
        self._full: Recent[Standing] = Recent(FULL_IS_GOOD_FOR_S, most, now)
        self._lock = threading.Lock()

    def full(self, key: str) -> Standing | None:
        """How it stood when something was refused a moment ago, if it was."""
        return self._full.get(key)

    def take(
        self, key: str, more: Callable[[Standing], Standing | None], look: Callable[[], Standing]
    ) -> Standing | None:
        """Take more; None, or how it stands where there is no room. more: how it stands then; None: there is no room.

        Nothing is refused without a look. Raises what `look` does.
        """
        known = self._known.get(key)
        if known is None or more(known.standing) is None:
            known = self._looked(key, known, look)
        with self._lock:
            standing = known.standing
            taken = more(standing)
            if taken is not None:
                known.standing = taken
                return None
        self._full.put(key, standing)
        return standing

    def _looked(self, key: str, before: _Known[Standing] | None, look: Callable[[], Standing]) -> _Known[Standing]:
        """As it stands now. Who else has looked meanwhile may have taken some since: then it is as that one has it."""
        found = _Known(look())
        with self._lock:
            known = self._known.get(key)
            if known is None or known is before:
                self._known.put(key, found)
                return found
            return known
