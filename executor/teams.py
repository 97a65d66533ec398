"""What a job's nodes are to an attempt, and what they are where there is one: nearly always."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Protocol, Tuple

from prominence.core.plan import ExecutionPlan
from prominence.core.report import ExecutionReport, NodeReport
from prominence.executor.bench import Bench
from prominence.executor.failures import Failure
from prominence.executor.ports import Stop
from prominence.executor.tasks import Progress, run_tasks

if TYPE_CHECKING:
    from prominence.executor.meeting import Notice


class Team(Protocol):
    """The nodes of the job. keeps_outputs: whether this one does."""

    keeps_outputs: bool

    def earlier(self, stop: Stop) -> Optional[Notice]:
        """What this one said last, where that was that the job is over for good. Raises WorkerLost, Interrupted."""

    def meet(self, stop: Stop) -> bool:
        """Wait for the others; whether there is anything to do yet. Raises WorkerLost, Interrupted."""

    def watched(self, stop: Stop) -> Stop:
        """Also requested when the others cannot go on."""

    def run_tasks(self, plan: ExecutionPlan, bench: Bench, stop: Stop, progress: Progress) -> Optional[Failure]:
        """Those that are this node's."""

    def settle(self, failure: Optional[Failure], stop: Stop) -> Tuple[Optional[Failure], Tuple[NodeReport, ...]]:
        """Why the job did not succeed, with what the others say of that, and their reports."""

    def end(self, exit_code: int, report: ExecutionReport, stop: Stop) -> int:
        """Tell the others what became of this one; what to exit with."""


class Single:
    """`Team` of a job that has one node."""

    keeps_outputs = True

    def earlier(self, stop: Stop) -> Optional[Notice]:
        return None

    def meet(self, stop: Stop) -> bool:
        return True

    def watched(self, stop: Stop) -> Stop:
        return stop

    def run_tasks(self, plan: ExecutionPlan, bench: Bench, stop: Stop, progress: Progress) -> Optional[Failure]:
        return run_tasks(plan, bench, stop, progress)

    def settle(self, failure: Optional[Failure], stop: Stop) -> Tuple[Optional[Failure], Tuple[NodeReport, ...]]:
        return failure, ()

    def end(self, exit_code: int, report: ExecutionReport, stop: Stop) -> int:
        return exit_code
