"""What a container uses, by the engine's statistics: looked at while it runs, since afterwards nobody knows any more.

Looks are rare, and rarer the longer it runs. One more comes when its output has ended: in that moment the engine has
not noticed the end yet, as a rule, so that the figures are those of the end.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Optional

FIRST_LOOK_S, LONGEST_PAUSE_S = 0.2, 5.0
"""A container that starts is left alone at first: a look costs the engine what the start needs."""
_GROWTH = 1.5
_ANONYMOUS = ("total_rss", "anon")
_MAPPED = ("total_mapped_file", "file_mapped")
_CACHE = ("total_cache", "file")
"""Each as cgroups of version 1 call it, and of version 2."""


@dataclass(frozen=True)
class Usage:
    """cpu_s: of all processes that it ever had. memory_kib: resident now; peak_kib: the most, as far as it is known."""

    cpu_s: float
    memory_kib: int
    peak_kib: int


def parse(stats: Mapping[str, Any]) -> Optional[Usage]:
    """From the engine's statistics; None: there are none, as of a container that has ended."""
    cpu_ns = _number((stats.get("cpu_stats") or {}).get("cpu_usage") or {}, "total_usage")
    memory = stats.get("memory_stats") or {}
    known = memory.get("stats") or {}
    if not cpu_ns or not known:
        return None
    mapped = _number(known, *_MAPPED)
    resident = _number(known, *_ANONYMOUS) + mapped
    # Version 1 keeps the most of all memory. Of what is not cache now, no more was cache then: files are cached, and
    # the cache is given up only for want of room.
    peak = _number(memory, "max_usage") - max(0, _number(known, *_CACHE) - mapped)
    return Usage(cpu_ns / 1e9, resident // 1024, max(resident, peak) // 1024)


def _number(values: Mapping[str, Any], *names: str) -> int:
    """The first of these that is there."""
    return next((int(values[name]) for name in names if values.get(name) is not None), 0)


class Meter:
    """Looks again and again until `stop`."""

    def __init__(self, look: Callable[[], Optional[Usage]]) -> None:
        self._look = look
        self._last: Optional[Usage] = None
        self._over = threading.Event()
        self._looking = threading.Lock()

    def start(self) -> None:
        """From now on."""
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()

    @property
    def last(self) -> Optional[Usage]:
        """What was seen last; None: nothing yet."""
        return self._last

    def now(self) -> Optional[Usage]:
        """What can be seen now, or else what was seen last."""
        with self._looking:
            seen = self._look()
            if seen is not None:
                peak_kib = max(seen.peak_kib, self._last.peak_kib if self._last else 0)
                self._last = Usage(seen.cpu_s, seen.memory_kib, peak_kib)
            return self._last

    def _run(self) -> None:
        pause_s = FIRST_LOOK_S
        while not self._over.wait(pause_s):
            self.now()
            pause_s = min(pause_s * _GROWTH, LONGEST_PAUSE_S)
