"""A job of several nodes as one. Pure.

Each node is a process of HTCondor's; the first one is the job, and its ad says what the job is. Which state the job is
in the node says that has come least far.
"""

from __future__ import annotations

from collections.abc import Iterable

from prominence.core import classads
from prominence.core.states import JobStatus
from prominence.core.verdict import JobAd

_OF_A_STATE = (
    classads.JOB_STATUS,
    classads.ENTERED_STATUS_AT,
    classads.HOLD_REASON,
    classads.HOLD_REASON_CODE,
    classads.HOLD_REASON_SUBCODE,
)
_TELLING = (JobStatus.HELD, JobStatus.IDLE)
"""States of another node that are the job's, the first one's own left out; the one that counts most first."""


def as_one(first: JobAd, others: Iterable[JobAd]) -> JobAd:
    """The job's ad. others: of its further nodes, as far as they are queued."""
    telling = first if _is_over(first) else min((first, *others), key=_rank)
    return {**first, **{name: telling[name] for name in _OF_A_STATE if name in telling}}


def _is_over(ad: JobAd) -> bool:
    return ad[classads.JOB_STATUS] in (JobStatus.COMPLETED, JobStatus.REMOVED)


def _rank(ad: JobAd) -> int:
    """Of nodes in the same state the first one given counts."""
    status = ad[classads.JOB_STATUS]
    return _TELLING.index(JobStatus(int(status))) if status in _TELLING else len(_TELLING)
