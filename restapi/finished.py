"""A job, or a workflow, that has left the queue, with all that is kept of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prominence.core import document
from prominence.core.job import JobSpec
from prominence.core.jobid import JobId
from prominence.core.report import ExecutionReport
from prominence.core.states import Status
from prominence.core.view import JobAd, JobView, view
from prominence.core.workflow_view import is_workflow, workflow_view


@dataclass(frozen=True)
class Attempt:
    """One start of a job, and how it ended. Unix epochs; what is not known, or not yet, is None or ""."""

    number: int
    worker: str = ""
    started: int | None = None
    ended: int | None = None
    outcome: str = ""
    reason: str = ""
    exit_code: int | None = None

    def shown(self) -> dict[str, Any]:
        """As the API writes it."""
        told = {
            "number": self.number,
            "worker": self.worker,
            "startTime": self.started,
            "endTime": self.ended,
            "outcome": self.outcome,
            "reason": self.reason,
            "exitCode": self.exit_code,
        }
        return {key: value for key, value in told.items() if value not in (None, "")}


@dataclass(frozen=True)
class Finished:
    """ad: HTCondor's last word. spec and report: None when they were not asked for, or could not be read.

    outcome: the report without its tasks, which is all that a list needs of it.
    """

    ad: JobAd
    labels: Mapping[str, str] = field(default_factory=dict)
    outcome: ExecutionReport | None = None
    spec: JobSpec | None = None
    report: ExecutionReport | None = None

    @property
    def job_id(self) -> JobId:
        """Its number."""
        return JobId.of(self.ad)

    @property
    def view(self) -> JobView:
        """What to say of it."""
        return workflow_view(self.ad) if is_workflow(self.ad) else view(self.ad, self.report or self.outcome, None)

    @property
    def status(self) -> Status:
        """Its last word."""
        return self.view.status


@dataclass(frozen=True)
class LastJob:
    """The newest job of a workflow's run for one of its instances, which has left the queue.

    uid: that of the instance, which it has in all runs.
    """

    workflow: int
    uid: str
    job_id: int
    status: Status


@dataclass(frozen=True)
class Left:
    """What has left the queue of an array. ad: of one of its members; statuses: how many members ended how."""

    ad: JobAd
    statuses: Mapping[Status, int]


def finished(ad: JobAd, labels: Mapping[str, str], spec: JobSpec | None, report: ExecutionReport | None) -> Finished:
    """All that is known. A report of a job that was removed while it waited is of an attempt before."""
    outcome = None if report is None else report._replace(tasks=())
    return Finished(ad, labels, outcome, spec, report)


def read_report(content: bytes | None) -> ExecutionReport | None:
    """From a worker, who may send us anything. Raises ValueError for what is no report."""
    try:
        return None if content is None else document.loads(ExecutionReport, content.decode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def read_spec(content: bytes | None) -> JobSpec | None:
    """As we wrote it. Raises ValueError."""
    return None if content is None else JobSpec.model_validate_json(content)
