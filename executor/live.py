"""What the running task uses, told while it runs: as attributes of the job's ad, by HTCondor's own delayed updates.

HTCondor sends them with its next update of the job, so that the queue has no more to do for them. What has not changed
is not told again.
"""

from __future__ import annotations

import time
from typing import Callable, Dict, Iterable, Optional, Protocol

from prominence.core.report import LIVE_AT, LIVE_CPU_MS, LIVE_CPUS, LIVE_DISK, LIVE_MEMORY
from prominence.executor.ports import ContainerRuntime, NotRunning, RuntimeTrouble, Used

FIRST_S = 2.0
"""A task that is over sooner is told of by the report alone."""
_SAME = 0.02
_LEAST = {LIVE_CPU_MS: 100, LIVE_CPUS: 20, LIVE_MEMORY: 1024, LIVE_DISK: 1024}
"""What differs by no more than that part of itself, or than this, has not changed."""


class Ad(Protocol):
    """The job's, on the access point. Raises AccessPointLost."""

    def note(self, name: str, value: int) -> bool:
        """Have an attribute set; whether it may be."""


class Gauge:
    """Tells every so many seconds."""

    def __init__(
        self,
        ad: Ad,
        runtimes: Iterable[ContainerRuntime],
        every_s: float,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._ad, self._runtimes, self._every_s = ad, tuple(runtimes), every_s
        self._clock, self._now = clock, now
        self._next_at = clock() + min(FIRST_S, every_s)
        self._cpu: Optional[tuple[float, float]] = None
        self._told: Dict[str, int] = {}

    def turn(self) -> None:
        """Tell, if it is time for that. Raises AccessPointLost."""
        if self._clock() < self._next_at:
            return
        self._next_at = self._clock() + self._every_s
        used = self._used()
        figures = {} if used is None else self._figures(used)
        if _differ(figures, self._told):
            self._told = figures
            if not all(self._ad.note(*one) for one in {**figures, LIVE_AT: int(self._now())}.items()):
                self._next_at = float("inf")  # this pool does not want it

    def _used(self) -> Optional[Used]:
        for runtime in self._runtimes:
            try:
                return runtime.usage()
            except NotRunning:
                continue
            except RuntimeTrouble:
                return None  # whoever waits for the container will hear of it
        return None

    def _figures(self, used: Used) -> Dict[str, int]:
        before, self._cpu = self._cpu, None if used.cpu_s is None else (self._clock(), used.cpu_s)
        figures = {LIVE_MEMORY: used.memory_kib, LIVE_DISK: used.disk_kib}
        if used.cpu_s is not None:
            figures[LIVE_CPU_MS] = int(used.cpu_s * 1000)
            if before is not None and used.cpu_s >= before[1] and self._clock() > before[0]:  # else it is another task
                figures[LIVE_CPUS] = int(1000 * (used.cpu_s - before[1]) / (self._clock() - before[0]))
        return {name: value for name, value in figures.items() if value is not None}


def _differ(figures: Dict[str, int], told: Dict[str, int]) -> bool:
    changed = (
        abs(value - told[name]) > max(_LEAST[name], _SAME * value) for name, value in figures.items() if name in told
    )
    return bool(set(figures) - set(told)) or any(changed)
