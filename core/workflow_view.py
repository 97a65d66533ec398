"""What the public API says of a workflow: its status word, why, since when, and how many of its jobs are where. Pure.

Made from HTCondor's ad of the DAGMan that runs it, into which DAGMan writes how far it has come: one read, however many
jobs there are.
"""

from __future__ import annotations

from collections.abc import Mapping

from prominence.core import classads
from prominence.core.reasons import Reason
from prominence.core.states import ENDED, JobStatus, Status
from prominence.core.verdict import CAME_TO_ITS_END, JobAd, Verdict, number, verdict
from prominence.core.view import JobView, events

_NOBODYS_TURN = frozenset({Reason.QUEUED})
"""Reasons that are told of jobs and not of workflows, which wait for no worker."""


def is_workflow(ad: JobAd) -> bool:
    """Whether it is the ad of a workflow, and not of a job."""
    return classads.NODES in ad


def workflow_view(ad: JobAd) -> JobView:
    """What to say of this workflow."""
    found = _verdict(ad)
    return JobView(
        status=found.status,
        reason=found.reason,
        sentence=found.sentence,
        exit_code=None,
        events=events(ad, found.status in ENDED),
        execution={},
    )


def progress(ad: JobAd) -> dict[str, int]:
    """How many of its jobs there are, and how many are done, have failed, are in the queue, or wait for others.

    Of a very large workflow DAGMan counts some nodes of its own among those that are done.
    """
    total = number(ad, classads.NODES) or 0
    done, failed, queued = (number(ad, name) or 0 for name in (classads.DAG_DONE, classads.DAG_FAILED, _QUEUED))
    done = max(0, min(done, total - failed - queued))
    waiting = max(0, total - done - failed - queued)
    return {"total": total, "done": done, "failed": failed, "queued": queued, "waiting": waiting}


def to_come(ad: JobAd, most_idle: int) -> int:
    """How many jobs more it may put into the queue, where most_idle of them wait at once; 1 at least, for itself."""
    counts = progress(ad)
    return max(1, min(counts["waiting"], most_idle - counts["queued"]))


_QUEUED = classads.DAG_QUEUED


def _verdict(ad: JobAd) -> Verdict:
    status = ad.get(classads.JOB_STATUS)
    if status == JobStatus.COMPLETED or (status == JobStatus.REMOVED and number(ad, classads.FINISHED_AT)):
        return _completed(ad)
    if status == JobStatus.REMOVED and str(ad.get(classads.REMOVE_REASON, "")).startswith(CAME_TO_ITS_END):
        return _of_counts(progress(ad)) or Verdict(Status.COMPLETED)
    found = verdict(ad, None, None)
    return Verdict(found.status) if found.reason in _NOBODYS_TURN else found


def _completed(ad: JobAd) -> Verdict:
    exit_code = number(ad, classads.EXIT_CODE)
    # Where something runs at the end, DAGMan goes by that alone.
    found = _of_counts(progress(ad))
    if found is not None:
        return found
    if exit_code == 0 and not ad.get(classads.EXIT_BY_SIGNAL):
        return Verdict(Status.COMPLETED)
    return Verdict(Status.FAILED, Reason.WORKFLOW_STOPPED, {"detail": f"DAGMan ended with exit code {exit_code}"})


def _of_counts(counts: Mapping[str, int]) -> Verdict | None:
    return Verdict(Status.FAILED, Reason.JOBS_FAILED, counts) if counts["failed"] else None
