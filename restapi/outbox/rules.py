"""What becomes of a letter whose job has ended, and when to try again. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from prominence.core.reasons import Reason
from prominence.core.states import ENDED
from prominence.core.view import JobView

LONGEST_PAUSE_S = 300.0


class Fate(Enum):
    """Of a letter."""

    WAIT = "the job has not ended"
    SEND = "the job has ended"
    DROP = "whoever ended the job knows it"
    TOO_LATE = "the job ended too long ago"


def fate(job: JobView, now: datetime, within: timedelta) -> Fate:
    """Of the letter of this job. within: news that are older are none."""
    if job.status not in ENDED:
        return Fate.WAIT
    if job.reason is Reason.DELETED_BY_USER:
        return Fate.DROP
    ended_at = job.events.get("endTime")
    too_late = ended_at is not None and now.timestamp() - ended_at > within.total_seconds()
    return Fate.TOO_LATE if too_late else Fate.SEND


def pause_s(failures: int, shortest_s: float) -> float:
    """How long to wait after so many failures in a row: twice as long each time, up to a limit."""
    return min(shortest_s * 2.0 ** min(failures, 30), max(shortest_s, LONGEST_PAUSE_S))
