"""The report of one attempt, as far as it is known."""

from __future__ import annotations

from typing import Any, Callable, Optional

from prominence.core.report import ExecutionReport, Outcome
from prominence.executor import exits
from prominence.executor.failures import Failure
from prominence.executor.worker import Worker

Publish = Callable[[ExecutionReport], bool]
"""Whether it could be kept."""


class Story:
    """Published with each turn."""

    def __init__(self, worker: Worker, publish: Publish, started_at: float) -> None:
        self._publish = publish
        self.report = ExecutionReport(
            outcome=Outcome.UNFINISHED, started_at=started_at, host=worker.host, **worker.processor
        )
        self._told = publish(self.report)

    def tell(self, **news: Any) -> None:
        """Put this into the report."""
        self.report = self.report._replace(**news)
        self._told = self._publish(self.report)

    def end(self, failure: Optional[Failure], finished_at: float) -> int:
        """How it has ended; what to exit with. What nobody could be told has not ended."""
        if failure is None:
            self.tell(outcome=Outcome.SUCCESS, exit_code=0, finished_at=finished_at)
        else:
            self.tell(
                outcome=failure.outcome,
                reason=failure.reason,
                details=failure.details,
                exit_code=failure.exit_code,
                finished_at=finished_at,
            )
        exit_code = 0 if failure is None else failure.exit_code
        return exit_code if self._told else exits.HANDED_BACK
