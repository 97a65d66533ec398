"""One attempt of a job, from the plan to the report: the steps, and a finish that reports whatever happened."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, nullcontext
from typing import Callable, Iterator, Optional, Sequence

from prominence.core.document import BadDocument
from prominence.core.plan import ExecutionPlan
from prominence.core.reasons import Reason
from prominence.core.report import ExecutionReport, Outcome
from prominence.executor import exits, saying
from prominence.executor.bench import Bench
from prominence.executor.deadline import Walltime
from prominence.executor.failures import STOPPED, Failure, handed_back
from prominence.executor.ports import Farewell, Interrupted, RuntimeTrouble, Stop, WorkerLost
from prominence.executor.story import Publish, Story
from prominence.executor.teams import Single, Team
from prominence.executor.worker import Company, Files, Worker


def run(
    read_plan: Callable[[], ExecutionPlan],
    worker: Worker,
    publish: Publish,
    stop: Stop,
    now: Callable[[], float] = time.time,
) -> int:
    """Do what the plan says; the exit code, or HANDED_BACK. Each report that is published replaces the one before.

    A job of which nobody could be told how it ended has not ended: it is handed back.
    """
    story = Story(worker, publish, now())
    attempt = _Attempt(worker, story, stop)
    try:
        failure = attempt.carry_out(read_plan)
    except WorkerLost as error:
        failure = handed_back(error)
    except Interrupted:
        failure, _ = attempt.team.settle(STOPPED, stop)
    except (BadDocument, RuntimeTrouble) as error:
        failure = _failed(str(error))
    except OSError as error:
        failure = _of_the_worker(error)
    except Exception as error:  # noqa: BLE001 - whatever happened, there is a report
        import traceback  # rarely: each import keeps jobs waiting

        saying.say(traceback.format_exc())
        failure = _failed(f"{type(error).__name__}: {error}")
    return attempt.team.end(story.end(failure, now()), story.report, stop)


class _Attempt:
    """told_to: whether the worker has told the job to stop. team: the job's nodes, once it is known which there are."""

    def __init__(self, worker: Worker, story: Story, told_to: Stop) -> None:
        self._worker, self._story, self._told_to = worker, story, told_to
        self.team: Team = Single()

    def carry_out(self, read_plan: Callable[[], ExecutionPlan]) -> Optional[Failure]:
        """All of it; why it did not succeed."""
        plan = fitted(read_plan(), self._worker.cpus)
        self.team = self._worker.team(plan)
        if (earlier := self.team.earlier(self._told_to)) is not None:
            return self._as_earlier(earlier.result)
        if not self.team.meet(self._told_to):
            return None
        stop = self.team.watched(self._told_to)
        bench = self._bench(plan)
        files, farewell = self._worker.files(plan, bench.workspace), Farewell(self._told_to, plan.farewell_s)
        with _attended(self._worker, bench, plan.live_s):
            return self._with_files(plan, bench, files, stop, farewell)

    def _as_earlier(self, result: Optional[ExecutionReport]) -> Optional[Failure]:
        """The job has ended before, and what it had to bring home was lost on the way."""
        if result is None:
            return _failed("the job had ended, and what became of it was lost with its worker")
        self._story.tell(**result._asdict())
        if result.outcome is Outcome.SUCCESS:
            return None
        reason, code = result.reason or Reason.EXECUTOR_FAILED, result.exit_code or exits.SYSTEM_FAILED
        return Failure(result.outcome, reason, code, result.details)

    def _bench(self, plan: ExecutionPlan) -> Bench:
        worker = self._worker
        found = worker.find(_wanted(plan))
        self._story.tell(runtime_versions=found.versions, request=plan.request)
        beside = 0 if worker.node[0] else sum(task.beside for task in plan.tasks)
        workspace = worker.workspace(found.runtimes, len(plan.mounts), beside)
        walltime = Walltime(plan.walltime_s)
        return Bench(
            *(found.runtimes, workspace, worker.job_id, walltime, worker.disk_kib, worker.gpus),
            credentials=worker.credentials(plan),
            images=worker.image_files(plan, workspace),
            member=worker.member,
            patience_s=plan.patience_s,
            node=worker.node,
        )

    def _with_files(
        self, plan: ExecutionPlan, bench: Bench, files: Files, stop: Stop, farewell: Farewell
    ) -> Optional[Failure]:
        team, story = self.team, self._story
        failure = files.stage_in(stop, lambda done: story.tell(stage_in=done))
        checkpoints = files.checkpoints() if failure is None else None
        if checkpoints is not None:
            failure = checkpoints.restore(stop)
            bench = bench._replace(restarted=failure is None and checkpoints.told.restored)
        has_run = failure is None
        if has_run:
            with nullcontext() if checkpoints is None else checkpoints.kept():
                failure = self._with_storage(plan, bench, stop, farewell)
        failure, nodes = team.settle(failure, self._told_to)
        if nodes:
            story.tell(nodes=nodes)
        begins_anew = failure is not None and failure.exit_code == exits.HANDED_BACK
        if has_run and team.keeps_outputs and not begins_anew:
            kept = files.stage_out(farewell, lambda done: story.tell(stage_out=done))
            failure = failure or kept
            if checkpoints is not None and self._told_to.requested:
                checkpoints.save(farewell)  # what is told to stop may be begun anew elsewhere
        if checkpoints is not None:
            story.tell(checkpoint=checkpoints.told)
        return failure

    def _with_storage(self, plan: ExecutionPlan, bench: Bench, stop: Stop, farewell: Farewell) -> Optional[Failure]:
        """What is stored after the tasks, here and as outputs, shares the time left to a job that has to leave."""
        if plan.storage is None:
            return self._in_company(plan, bench, self._worker.company(plan, bench), stop)
        storage = self._worker.storage(plan.storage, plan.patience_s)
        try:
            failure = storage.mount(stop)
            if failure is None:
                bench = bench._replace(storage=storage.attached)
                failure = self._in_company(plan, bench, self._worker.company(plan, bench), stop)
        finally:
            kept = storage.end(farewell)
        return failure or kept

    def _in_company(self, plan: ExecutionPlan, bench: Bench, company: Company, stop: Stop) -> Optional[Failure]:
        try:
            failure = company.start(stop)
            return failure or self.team.run_tasks(plan, bench, stop, lambda tasks: self._story.tell(tasks=tasks))
        finally:
            if ended := company.end():
                self._story.tell(sidecars=ended)


def _of_the_worker(error: OSError) -> Failure:
    """A full disk is the worker's, and another has room."""
    from prominence.executor import fulldisk  # rarely

    try:
        fulldisk.check(error)
    except WorkerLost as lost:
        return handed_back(lost)
    return _failed(str(error))


def fitted(plan: ExecutionPlan, cpus: Optional[int]) -> ExecutionPlan:
    """The plan with the cores, and the memory that goes with them, that the job has got of a slot of so many."""
    if plan.most_cpus is None or cpus is None:
        return plan
    got = max(plan.cpus, min(cpus, plan.most_cpus))
    per_cpu = plan.memory_mib_per_cpu
    return plan._replace(cpus=got, memory_mib=plan.memory_mib if per_cpu is None else got * per_cpu)


@contextmanager
def _attended(worker: Worker, bench: Bench, live_s: Optional[int]) -> Iterator[None]:
    """Meanwhile orders are carried out."""
    over = threading.Event()
    threading.Thread(target=worker.attend, args=(bench, live_s, over), name="orders", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _wanted(plan: ExecutionPlan) -> Sequence[str]:
    return list(dict.fromkeys(name for task in plan.tasks for name in task.runtimes))


def _failed(detail: str) -> Failure:
    return Failure(Outcome.SYSTEM_FAILED, Reason.EXECUTOR_FAILED, exits.SYSTEM_FAILED, {"detail": detail})
