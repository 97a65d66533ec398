"""A job that has left the queue, with all that is kept of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prominence.core import classads, document
from prominence.core.job import JobSpec
from prominence.core.report import ExecutionReport
from prominence.core.states import Status
from prominence.core.view import JobAd, JobView, view


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
    def job_id(self) -> int:
        """Its number."""
        return int(self.ad[classads.CLUSTER_ID])

    @property
    def view(self) -> JobView:
        """What to say of it."""
        return view(self.ad, self.report or self.outcome, None)

    @property
    def status(self) -> Status:
        """Its last word."""
        return self.view.status


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
