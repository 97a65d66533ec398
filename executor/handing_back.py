"""Giving a job back to the queue when the worker has failed it.

A worker that is being stopped loses its broker or its engine before its jobs have ended. As a rule HTCondor ends
them a moment later and queues them again by itself, so that is waited for. Where it does not come, the executor ends
by a signal of which the job's policy knows that the job has not ended.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Callable

from prominence.core.report import HANDED_BACK_BY
from prominence.executor import exits
from prominence.executor.ports import Stop

PATIENCE_S = 30.0
"""How long the worker's end is waited for: a job that went at once would come back to the worker that failed it."""
_LOOK_S = 0.5


def hand_back(stop: Stop, is_well: Callable[[], bool]) -> int:
    """Wait until HTCondor ends us: our exit code. If the worker is well again, or nothing happens, end by it."""
    if wait(stop, is_well, time.monotonic, time.sleep):
        return exits.STOPPED
    signal.signal(HANDED_BACK_BY, signal.SIG_DFL)
    os.kill(os.getpid(), HANDED_BACK_BY)
    raise AssertionError("a signal that is not caught ends a process")


def wait(stop: Stop, is_well: Callable[[], bool], clock: Callable[[], float], sleep: Callable[[float], None]) -> bool:
    """Whether HTCondor has asked us to end; otherwise the worker is well again or our patience is at its end."""
    give_up_at = clock() + PATIENCE_S
    while not stop.requested and clock() < give_up_at:
        sleep(_LOOK_S)
        if not stop.requested and is_well():
            return False
    return stop.requested
