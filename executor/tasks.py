"""The job's tasks, one after the other, up to the first that fails, if the plan does not say otherwise."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import Callable, Iterator, Optional, Sequence, Tuple, Union

from prominence.core.plan import ExecutionPlan, PlannedMount, PlannedTask
from prominence.core.reasons import Reason
from prominence.core.report import Outcome, TaskReport
from prominence.core.units import plainly
from prominence.executor import environment, mpi, sandbox
from prominence.executor.bench import Bench
from prominence.executor.deadline import left_s
from prominence.executor.failures import STOPPED, Failure, handed_back, judge, of_system
from prominence.executor.held import Held, NoRuntime, with_image
from prominence.executor.ports import (
    Cause,
    Container,
    Ended,
    FetchFailed,
    FetchTimedOut,
    Interrupted,
    RuntimeTrouble,
    Stop,
    WorkerLost,
)

Progress = Callable[[Tuple[TaskReport, ...]], None]


def run_tasks(plan: ExecutionPlan, bench: Bench, stop: Stop, progress: Progress) -> Optional[Failure]:
    """Run them; why the job did not succeed. `progress` hears of each task that has ended."""
    done: Tuple[TaskReport, ...] = ()
    first: Optional[Failure] = None
    for number in (number for number, task in enumerate(plan.tasks) if not task.beside):
        report, failure = run_task(plan, number, bench, done, stop)
        done += (report,)
        progress(done)
        if failure and failure.outcome not in _OF_A_TASK:
            return failure
        first = first or failure
        if failure and not plan.goes_on:
            break
    return None if plan.forgives else first


_OF_A_TASK = (Outcome.TASK_FAILED, Outcome.OUT_OF_MEMORY)
"""A task's own failures: any other ends the job, whatever its policies are."""


def run_task(
    plan: ExecutionPlan, number: int, bench: Bench, done: Tuple[TaskReport, ...], stop: Stop
) -> Tuple[TaskReport, Optional[Failure]]:
    report, failure = _run_task(plan, number, bench, done, stop)
    while failure and failure.reason is Reason.TASK_FAILED and report.retries < plan.task_retries:
        again, failure = _run_task(plan, number, bench, (*done, report), stop)
        report = _together(report, again)
    return report, failure


def _together(before: TaskReport, again: TaskReport) -> TaskReport:
    """One report of several runs of a task. Of what one of them does not know the whole is not known."""
    cpu, rss = (before.cpu_s, again.cpu_s), (before.max_rss_kib, again.max_rss_kib)
    return again._replace(
        pull_s=before.pull_s,
        wall_s=round((before.wall_s or 0) + (again.wall_s or 0), 3),
        cpu_s=None if None in cpu else sum(value or 0 for value in cpu),
        max_rss_kib=None if None in rss else max(value or 0 for value in rss),
        retries=before.retries + 1,
    )


def _run_task(
    plan: ExecutionPlan, number: int, bench: Bench, done: Tuple[TaskReport, ...], stop: Stop
) -> Tuple[TaskReport, Optional[Failure]]:
    task = plan.tasks[number]
    report = TaskReport(image=task.image)
    try:
        credential = bench.credentials[number] if task.private else None
        limit_s = left_s(plan.pull_limit_s, (one.pull_s for one in done))
        held = with_image(task, credential, bench, limit_s, stop)
        report = report._replace(runtime=held.runtime.name, pull_s=held.pull_s)
        if stop.requested:
            raise Interrupted
        started = bench.clock()
        limits = bench.walltime.left(sum(one.wall_s or 0.0 for one in done), plan.grace_s)
        with _written_down(task.stdout, bench.workspace, plan.mounts), _launching(task, number, bench):
            ended = held.runtime.run(container(plan, number, held, bench), limits, stop)
        report = of_ended(report, held, ended, round(bench.clock() - started, 3))
        spent_s = sum(one.wall_s or 0.0 for one in (*done, report))
        return report, judge(plan._replace(walltime_s=bench.walltime.limit_s), number, ended, bench.disk_kib, spent_s)
    except (RuntimeTrouble, Interrupted) as error:
        return report, why_not_run(error, task, plan)


def of_ended(report: TaskReport, held: Held, ended: Ended, wall_s: float) -> TaskReport:
    """The report with what became of the container."""
    return report._replace(
        exit_code=None if ended.cause is Cause.NOT_STARTED else ended.exit_code,
        signal=ended.signal,
        image_digest=held.digest or ended.image_digest,
        wall_s=wall_s,
        cpu_s=ended.cpu_s,
        max_rss_kib=ended.max_rss_kib,
    )


def why_not_run(error: Union[RuntimeTrouble, Interrupted], task: PlannedTask, plan: ExecutionPlan) -> Failure:
    """Why a task did not run to an end of its own."""
    if isinstance(error, Interrupted):
        return STOPPED
    if isinstance(error, WorkerLost):
        return handed_back(error)
    if isinstance(error, _NotWritten):
        return of_system(Reason.OUTPUT_NOT_FOUND, name=task.stdout, detail=str(error))
    if isinstance(error, NoRuntime):
        return of_system(Reason.NO_RUNTIME, detail=str(error))
    if isinstance(error, FetchFailed):
        too_long = f"it took longer than {plainly(plan.pull_limit_s or 0)}"
        detail = too_long if isinstance(error, FetchTimedOut) else str(error)
        return of_system(error.reason, image=task.image, detail=detail)
    return of_system(Reason.EXECUTOR_FAILED, detail=str(error))


def container(plan: ExecutionPlan, number: int, held: Held, bench: Bench) -> Container:
    """Task `number`, as the runtime that holds its image is to run it."""
    task = plan.tasks[number]
    kept_kib = 0 if bench.images is None else bench.images.kept_kib
    sandbox.make_workdir(bench.workspace.home, task.workdir)
    between = bench.between if task.mpi is not None else None
    hosts = () if between is None else between.hosts(socket.gethostname())
    address = "" if between is None else between.address
    env = environment.of_task(
        plan, number, held.runtime.name, bench.job_id, bench.gpus, bench.member, bench.restarted, bench.node
    )
    return Container(
        image=held.image,
        command=mpi.command(task, plan, hosts, address),
        env=env if between is None else {**env, **between.environment()},
        between_nodes=between is not None,
        workdir=task.workdir,
        home=str(bench.workspace.home),
        tmp=str(bench.workspace.tmp),
        cpus=plan.cpus,
        memory_mib=plan.memory_mib,
        disk_kib=None if bench.disk_kib is None else max(0, bench.disk_kib - kept_kib),
        gpus=plan.gpus > 0,
        mounts=tuple((str(source), mount.target) for source, mount in zip(bench.workspace.mounts, plan.mounts)),
        app=task.app,
        storage=bench.storage,
    )


@contextmanager
def _launching(task: PlannedTask, number: int, bench: Bench) -> Iterator[None]:
    """Meanwhile an MPI's launcher has its daemons started on the other nodes, where there are any."""
    if task.mpi is None or bench.between is None:
        yield
        return
    with bench.between.launching(number, bench.workspace.tmp):
        yield


@contextmanager
def _written_down(path: str, workspace: sandbox.Workspace, mounts: Sequence[PlannedMount]) -> Iterator[None]:
    """Meanwhile what tasks print goes into this file as well, if there is one. Raises _NotWritten, WorkerLost."""
    if not path:
        yield
        return
    from prominence.executor import tee  # which few jobs need

    try:
        file = tee.create(path, workspace, mounts)
    except tee.CannotBeWritten as error:
        raise _NotWritten(str(error)) from error
    with tee.tee(file):
        yield


class _NotWritten(RuntimeTrouble):
    """There is no file for what the task prints."""
