"""Limits of time: what is left for whom, and how something that runs is ended when its time is up.

The job's wall time is spent by tasks only: fetching their images has a limit of its own.
"""

from __future__ import annotations

import time
from typing import Callable, Iterable, Optional, Protocol

from prominence.executor.ports import Cause, Limits, RuntimeFailed, Stop

TICK_S = 0.25
"""How soon a request to stop is noticed."""
PATIENCE_S = 30.0
"""How long something that was killed may take to be gone."""
_AT_ONCE = (Cause.OUT_OF_MEMORY, Cause.OUT_OF_DISK)


class Running(Protocol):
    """Something that runs and can be ended."""

    def wait(self, timeout_s: float) -> bool:
        """Wait so long at most; whether it has ended."""

    def warn(self) -> None:
        """Ask it to end, with the signal that programs can catch."""

    def kill(self) -> None:
        """End all of it. May be repeated."""

    def exceeded(self) -> Optional[Cause]:
        """OUT_OF_MEMORY or OUT_OF_DISK, if it has been seen to use more than it may."""


class Walltime:
    """Seconds that all tasks of a job together may run, None for no limit; they may change while a task runs."""

    def __init__(self, limit_s: int | None) -> None:
        self.limit_s = limit_s

    def left(self, spent_s: float, grace_s: float) -> Limits:
        """For what runs next."""
        return _Left(self, spent_s, grace_s)


class _Left(Limits):
    def __init__(self, walltime: Walltime, spent_s: float, grace_s: float) -> None:
        super().__init__(None, grace_s)
        self._walltime, self._spent_s = walltime, spent_s

    @property
    def timeout_s(self) -> float | None:
        return left_s(self._walltime.limit_s, [self._spent_s])


def left_s(limit_s: float | None, spent_s: Iterable[Optional[float]]) -> float | None:
    """Seconds left of a limit, never below 0; None: no limit. spent_s: None where nothing was."""
    if limit_s is None:
        return None
    return max(0.0, limit_s - sum(one or 0.0 for one in spent_s))


def supervise(running: Running, limits: Limits, stop: Stop, clock: Callable[[], float] = time.monotonic) -> Cause:
    """Wait for it to end, or end it: the warning, then after the grace the kill. Raises RuntimeFailed."""
    started = clock()
    cause = Cause.EXITED
    kill_at = give_up_at = wake_at = float("inf")
    while True:
        if cause is Cause.EXITED:
            wake_at = started + _or_forever(limits.timeout_s)
        if running.wait(max(0.0, min(TICK_S, wake_at - clock()))):
            return cause
        now = clock()
        if cause is Cause.EXITED:
            cause = why_end(now - started, limits, stop.requested, running.exceeded())
            if cause is not Cause.EXITED:
                # The kernel gives no warning either to who uses too much memory, and disk goes on being used up.
                kill_at = now if cause in _AT_ONCE else now + limits.grace_s
                give_up_at, wake_at = kill_at + PATIENCE_S, kill_at
                if kill_at > now:
                    running.warn()
        if now >= kill_at:
            running.kill()
            wake_at = give_up_at
        if now >= give_up_at:
            raise RuntimeFailed(f"the task did not end within {PATIENCE_S:g} s of being killed")


def why_end(elapsed_s: float, limits: Limits, stop_requested: bool, exceeded: Optional[Cause]) -> Cause:
    """Why something that runs must be ended now; EXITED: it may go on."""
    if exceeded:
        return exceeded
    if stop_requested:
        return Cause.STOPPED
    if elapsed_s >= _or_forever(limits.timeout_s):
        return Cause.OUT_OF_TIME
    return Cause.EXITED


def _or_forever(seconds: float | None) -> float:
    return float("inf") if seconds is None else seconds
