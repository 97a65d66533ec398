"""Fetches an image by the first runtime that gets it, with patience for registries that do not answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Callable, Dict, Optional, Sequence

from prominence.core.plan import RegistryCredential
from prominence.core.reasons import Reason
from prominence.executor import choice
from prominence.executor.deadline import TICK_S, left_s
from prominence.executor.ports import FetchFailed, FetchTimedOut, Interrupted, Stop

if TYPE_CHECKING:
    from prominence.executor.ports import ContainerRuntime

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 60.0


class Patience:
    """How long one image may take, and how the time passes.

    limit_s: None for no limit. patience_s: what may be waited in all between the attempts.
    """

    def __init__(
        self,
        limit_s: Optional[float],
        stop: Stop,
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.stop = stop
        self._limit_s, self._clock, self._sleep = limit_s, clock, sleep
        self._patience_s = patience_s
        self._began = clock()
        self._waited, self._pause = 0.0, FIRST_PAUSE_S

    def left_s(self) -> Optional[float]:
        """Seconds of the limit; None: there is none."""
        return left_s(self._limit_s, [self._clock() - self._began])

    def wait(self) -> bool:
        """Wait before the next attempt, longer each time; False where there is to be none. Raises Interrupted."""
        left = self.left_s()
        if self._waited + self._pause > self._patience_s or (left is not None and self._pause >= left):
            return False
        wake_at = self._clock() + self._pause
        while self._clock() < wake_at:
            if self.stop.requested:
                raise Interrupted
            self._sleep(min(TICK_S, max(0.0, wake_at - self._clock())))
        self._waited, self._pause = self._waited + self._pause, min(self._pause * 2, LONGEST_PAUSE_S)
        return True


def fetch(
    image: str, credential: Optional[RegistryCredential], runtimes: Sequence[ContainerRuntime], patience: Patience
) -> ContainerRuntime:
    """The runtime that has got it. Raises FetchTimedOut, FetchFailed, Interrupted, WorkerLost."""
    while True:
        refusals: Dict[str, FetchFailed] = {}
        for runtime in runtimes:
            try:
                runtime.fetch(image, patience.left_s(), patience.stop, credential)
            except FetchTimedOut:
                raise  # the others have no time left
            except FetchFailed as error:
                refusals[runtime.name] = error
                continue
            return runtime
        failure = _together(refusals)
        if failure.reason is not Reason.IMAGE_UNAVAILABLE or not patience.wait():
            raise failure


def _together(refusals: Dict[str, FetchFailed]) -> FetchFailed:
    """One failure of all. What one of them knows for certain counts, and the others need not try again."""
    reasons = [error.reason for error in refusals.values()]
    certain = [reason for reason in reasons if reason is not Reason.IMAGE_UNAVAILABLE]
    words = choice.why_not_fetched({name: str(error) for name, error in refusals.items()})
    return FetchFailed(words, (certain or reasons)[0])
