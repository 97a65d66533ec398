"""What the first node of a job that has several does otherwise than the only one of another, and what the others do."""

from __future__ import annotations

from contextlib import suppress
from typing import Callable, Optional, Protocol, Tuple, Union

from prominence.core.plan import ExecutionPlan
from prominence.core.reasons import Reason
from prominence.core.report import UNMET, ExecutionReport, NodeReport, Outcome, TaskReport
from prominence.executor import exits, launch, mpi
from prominence.executor.accesspoint import AccessPointLost
from prominence.executor.bench import Bench
from prominence.executor.failures import Failure, handed_back, judge
from prominence.executor.firstnode import First
from prominence.executor.held import with_image
from prominence.executor.meeting import Notice
from prominence.executor.nodes import NotMet, Watched
from prominence.executor.othernode import Asked, Other
from prominence.executor.ports import Cause, Interrupted, RuntimeTrouble, Stop, WorkerLost
from prominence.executor.tasks import Progress, container, of_ended, run_task, run_tasks, why_not_run

_LAST_WORDS_S = 10.0
"""For what others have to tell of a failure."""


class Ad(Protocol):
    """The job's, on the access point. Raises AccessPointLost."""

    def note(self, name: str, value: int) -> bool:
        """Have an attribute set; whether it may be."""


class FirstTeam:
    """completions: how often the job has run to an end before; unmet: how often it has not met the others."""

    keeps_outputs = True

    def __init__(self, node: First, plan: ExecutionPlan, completions: int, ad: Callable[[], Ad], unmet: int) -> None:
        self._node, self._plan, self._completions = node, plan, completions
        self._ad, self._unmet = ad, unmet

    def earlier(self, stop: Stop) -> Optional[Notice]:
        return self._node.earlier(stop)

    def meet(self, stop: Stop) -> bool:
        _meet(self._node, stop, self._ad, self._unmet)
        return True

    def watched(self, stop: Stop) -> Stop:
        return Watched(stop, lambda: bool(self._node.lost() or self._failed()))

    def run_tasks(self, plan: ExecutionPlan, bench: Bench, stop: Stop, progress: Progress) -> Optional[Failure]:
        self._node.walltime = bench.walltime
        return run_tasks(plan, bench._replace(between=self._node), stop, progress)

    def settle(self, failure: Optional[Failure], stop: Stop) -> Tuple[Optional[Failure], Tuple[NodeReport, ...]]:
        if stop.requested or (failure is not None and failure.exit_code == exits.HANDED_BACK):
            return failure, self._node.reports()
        if self._node.was_lost and failure is not None and not _is_its_own(failure):
            return handed_back(WorkerLost(self._node.was_lost)), ()
        try:
            patience_s = float("inf") if failure is None else _LAST_WORDS_S
            reports = self._node.gather(stop, len(self._plan.tasks), patience_s)
        except WorkerLost as error:
            return handed_back(error), ()
        except Interrupted:
            return failure, self._node.reports()
        elsewhere = self._failed()
        if elsewhere is None or (_is_its_own(failure) and elsewhere.outcome is Outcome.TASK_FAILED):
            return failure, reports
        return elsewhere, reports

    def end(self, exit_code: int, report: ExecutionReport, stop: Stop) -> int:
        if exit_code == exits.HANDED_BACK:
            return _leave(self._node)
        final = not stop.requested and (exit_code == 0 or self._completions + 1 > self._plan.retries)
        self._node.end(report if final else None)
        return exit_code

    def _failed(self) -> Optional[Failure]:
        """What has gone wrong on another node."""
        failed = (one for one in self._node.reports() if one.outcome is not Outcome.SUCCESS)
        return min((_failure(one) for one in failed), key=lambda one: one.outcome is Outcome.TASK_FAILED, default=None)


class OtherTeam:
    """Of another node: it runs what the first has for it."""

    keeps_outputs = False

    def __init__(self, node: Other, ad: Callable[[], Ad], unmet: int) -> None:
        self._node, self._ad, self._unmet = node, ad, unmet

    def earlier(self, stop: Stop) -> Optional[Notice]:
        return None

    def meet(self, stop: Stop) -> bool:
        _meet(self._node, stop, self._ad, self._unmet)
        return not self._node.is_too_late()

    def watched(self, stop: Stop) -> Stop:
        return Watched(stop, lambda: self._node.first().over or bool(self._node.lost()))

    def run_tasks(self, plan: ExecutionPlan, bench: Bench, stop: Stop, progress: Progress) -> Optional[Failure]:
        self._node.walltime = bench.walltime
        done: Tuple[TaskReport, ...] = ()
        first: Optional[Failure] = None
        for number, task in enumerate(plan.tasks):
            if task.beside or (task.mpi is None and not plan.everywhere):
                continue
            if task.mpi is None:
                report, failure = run_task(plan, number, bench, done, stop)
                done += (report,)
            else:
                more, failure = self._serve(plan, number, bench, done, stop)
                done += more
            progress(done)
            if failure and failure.outcome is not Outcome.TASK_FAILED:
                return failure
            first = first or failure
            if failure and not plan.goes_on:
                break
        return None if plan.forgives else first

    def settle(self, failure: Optional[Failure], stop: Stop) -> Tuple[Optional[Failure], Tuple[NodeReport, ...]]:
        lost = self._node.lost() or self._node.was_lost
        return (handed_back(WorkerLost(lost)) if lost and not self._node.first().over else failure), ()

    def end(self, exit_code: int, report: ExecutionReport, stop: Stop) -> int:
        return _leave(self._node) if exit_code == exits.HANDED_BACK else self._node.end(report, stop)

    def _serve(
        self, plan: ExecutionPlan, number: int, bench: Bench, done: Tuple[TaskReport, ...], stop: Stop
    ) -> Tuple[Tuple[TaskReport, ...], Optional[Failure]]:
        """Run what the first node's task has launched here, until that has ended."""
        launch.Errands(bench.workspace.tmp)  # its daemons look for what stands in for ssh
        ran: Tuple[TaskReport, ...] = ()
        while self._node.first().task <= number and not stop.requested:
            asked = self._node.asked(self._node.pace.look_s)
            if asked is None:
                continue
            # A launch may be heard of sooner than that the first node has gone on.
            if asked.launch.task > number:
                self._node.put_back(asked)
                break
            if asked.launch.task < number or asked.launch.turn < self._node.first().turn:
                self._node.answer(asked, launch.FAILED)
                continue
            report, failure = self._run(plan, number, bench, (*done, *ran), stop, asked)
            ran += (report,)
            if failure is not None:
                return ran, failure
        return ran, None

    def _run(
        self, plan: ExecutionPlan, number: int, bench: Bench, done: Tuple[TaskReport, ...], stop: Stop, asked: Asked
    ) -> Tuple[TaskReport, Optional[Failure]]:
        """What comes of it is the launcher's business, but what the worker has to say of its limits is the job's."""
        task, code = plan.tasks[number], launch.FAILED
        report = TaskReport(image=task.image)
        try:
            held = with_image(task, bench.credentials[number] if task.private else None, bench, plan.pull_limit_s, stop)
            report = report._replace(runtime=held.runtime.name, pull_s=held.pull_s)
            wanted = container(plan, number, held, bench)
            wanted = wanted._replace(
                command=("sh", "-c", asked.launch.command),
                env={**wanted.env, **mpi.environment(launch.AGENT)},
                between_nodes=True,
            )
            spent_s = sum(one.wall_s or 0.0 for one in done)
            while_it_runs = Watched(stop, lambda: self._node.first().turn > asked.launch.turn)
            started = bench.clock()
            ended = held.runtime.run(wanted, bench.walltime.left(spent_s, plan.grace_s), while_it_runs)
            report = of_ended(report, held, ended, round(bench.clock() - started, 3))
            code = ended.exit_code
            if ended.cause in (Cause.EXITED, Cause.NOT_STARTED) or (
                ended.cause is Cause.STOPPED and not stop.requested
            ):
                return report, None
            held_to = plan._replace(walltime_s=bench.walltime.limit_s)
            return report, judge(held_to, number, ended, bench.disk_kib, spent_s + (report.wall_s or 0.0))
        except (RuntimeTrouble, Interrupted) as error:
            return report, why_not_run(error, task, plan)
        finally:
            self._node.answer(asked, code)


def _meet(node: Union[First, Other], stop: Stop, ad: Callable[[], Ad], unmet: int) -> None:
    try:
        node.meet(stop)
    except NotMet:
        _leave(node)
        with suppress(AccessPointLost):  # then it counts as any other start
            ad().note(UNMET, unmet + 1)
        raise


def _leave(node: Union[First, Other]) -> int:
    node.say(left=True)
    node.close()
    return exits.HANDED_BACK


def _is_its_own(failure: Optional[Failure]) -> bool:
    """Not one of a node that had to stop because another has failed."""
    return failure is not None and failure.outcome is not Outcome.REMOVED


def _failure(report: NodeReport) -> Failure:
    reason = report.reason or Reason.EXECUTOR_FAILED
    return Failure(report.outcome, reason, report.exit_code or exits.SYSTEM_FAILED, report.details)
