"""When the next round is due, and round after round until told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from prominence.core import logs
from prominence.core.errors import Conflict, Unavailable

log = logs.get(__name__)

LONGEST_PAUSE_S = 10
LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Pace:
    """interval_s: between the beginnings of two rounds when nothing happens. least_s: however much happens.

    settle_s: from the first news to the round, so that jobs that come together are seen together.
    """

    interval_s: float
    least_s: float
    settle_s: float

    def due_s(self, failures: int, heard_s: float | None) -> float:
        """When the next round is due. It and heard_s, the first news, count from the last round's beginning.

        Failures in a row make the pauses longer, and no news shortens these.
        """
        if failures:
            return max(self.interval_s, min(self.interval_s * 2.0 ** min(failures - 1, 20), LONGEST_PAUSE_S))
        if heard_s is None:
            return self.interval_s
        return min(self.interval_s, max(self.least_s, heard_s + self.settle_s))


def run(
    one_round: Callable[[], object],
    stop: threading.Event,
    pace: Pace,
    heard: Callable[[], bool] | None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Until told to stop. heard: whether there is news since it was asked last. A failure that lasts is logged once."""
    failures = 0
    while not stop.is_set():
        began = clock()
        failures = _attempt(one_round, failures)
        _wait(partial(pace.due_s, failures), stop, heard, clock, began)
    log.info("stopped")


def _attempt(one_round: Callable[[], object], failures: int) -> int:
    """How many rounds in a row have failed after this one."""
    try:
        one_round()
    except (Unavailable, Conflict) as error:
        if failures == 0:
            log.warning("this round was not finished, the next is tried soon", error=str(error))
        return failures + 1
    except Exception as error:  # the loop must outlive every mistake
        log.exception("a round failed by a mistake of ours", error=repr(error))
        return failures + 1
    if failures:
        log.info("rounds are finished again", failures=failures)
    return 0


def _wait(
    due_s: Callable[[float | None], float],
    stop: threading.Event,
    heard: Callable[[], bool] | None,
    clock: Callable[[], float],
    began: float,
) -> None:
    """Until the next round is due. What happened during the last one is news too: it may have looked before."""
    heard_s: float | None = None
    while not stop.is_set():
        if heard and heard() and heard_s is None:
            heard_s = clock() - began
        left_s = due_s(heard_s) - (clock() - began)
        if left_s <= 0:
            return
        stop.wait(min(left_s, LOOK_EVERY_S) if heard else left_s)
