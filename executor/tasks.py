"""The job's tasks, one after the other, up to the first that fails, if the plan does not say otherwise."""

from __future__ import annotations

import time
from typing import Callable, Dict, Mapping, NamedTuple, Optional, Tuple

from prominence.core.plan import ExecutionPlan, PlannedTask
from prominence.core.reasons import Reason
from prominence.core.report import Outcome, TaskReport
from prominence.core.units import disk_gb, memory_gb, plainly
from prominence.executor import choice, environment, exits, sandbox
from prominence.executor.deadline import left_s
from prominence.executor.ports import (
    Cause,
    Container,
    ContainerRuntime,
    Ended,
    FetchFailed,
    FetchTimedOut,
    Interrupted,
    Limits,
    RuntimeTrouble,
    Stop,
    WorkerLost,
)

Progress = Callable[[Tuple[TaskReport, ...]], None]


class Failure(NamedTuple):
    """Why the job did not succeed, in the report's words, and what the executor exits with."""

    outcome: Outcome
    reason: Reason
    exit_code: int
    details: Dict[str, str] = {}


class Bench(NamedTuple):
    """What tasks are run with: the runtimes that work here, by name, and the directories they share.

    disk_kib: what the job may keep on this worker's disk; None: nobody knows. gpus: variables that tell the job's.
    """

    runtimes: Mapping[str, ContainerRuntime]
    workspace: sandbox.Workspace
    job_id: str
    disk_kib: Optional[int] = None
    gpus: Mapping[str, str] = {}
    clock: Callable[[], float] = time.monotonic


def run_tasks(plan: ExecutionPlan, bench: Bench, stop: Stop, progress: Progress) -> Optional[Failure]:
    """Run them; why the job did not succeed. `progress` hears of each task that has ended."""
    done: Tuple[TaskReport, ...] = ()
    first: Optional[Failure] = None
    for number in range(len(plan.tasks)):
        report, failure = _run_until_it_succeeds(plan, number, bench, done, stop)
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


def _run_until_it_succeeds(
    plan: ExecutionPlan, number: int, bench: Bench, done: Tuple[TaskReport, ...], stop: Stop
) -> Tuple[TaskReport, Optional[Failure]]:
    report, failure = _run_task(plan, number, bench, _left(plan, done), stop)
    while failure and failure.reason is Reason.TASK_FAILED and report.retries < plan.task_retries:
        again, failure = _run_task(plan, number, bench, _left(plan, (*done, report)), stop)
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


class _Left(NamedTuple):
    """Seconds for what is still to be done; None: no limit."""

    run_s: Optional[float]
    pull_s: Optional[float]


def _left(plan: ExecutionPlan, done: Tuple[TaskReport, ...]) -> _Left:
    return _Left(
        run_s=left_s(plan.walltime_s, (one.wall_s for one in done)),
        pull_s=left_s(plan.pull_limit_s, (one.pull_s for one in done)),
    )


def _run_task(
    plan: ExecutionPlan, number: int, bench: Bench, left: _Left, stop: Stop
) -> Tuple[TaskReport, Optional[Failure]]:
    task = plan.tasks[number]
    report = TaskReport(image=task.image)
    try:
        runtime, pull_s = _with_image(task, bench, left.pull_s, stop)
        report = report._replace(runtime=runtime.name, pull_s=pull_s)
        if stop.requested:
            raise Interrupted
        started = bench.clock()
        ended = runtime.run(_container(plan, number, runtime.name, bench), Limits(left.run_s, plan.grace_s), stop)
        report = report._replace(
            exit_code=None if ended.cause is Cause.NOT_STARTED else ended.exit_code,
            signal=ended.signal,
            image_digest=ended.image_digest,
            wall_s=round(bench.clock() - started, 3),
            cpu_s=ended.cpu_s,
            max_rss_kib=ended.max_rss_kib,
        )
        return report, judge(plan, number, ended, bench.disk_kib)
    except _NoRuntime as error:
        return report, _system(Reason.NO_RUNTIME, detail=str(error))
    except FetchTimedOut:
        detail = f"it took longer than {plainly(plan.pull_limit_s or 0)}"
        return report, _system(Reason.IMAGE_PULL_FAILED, image=task.image, detail=detail)
    except FetchFailed as error:
        return report, _system(Reason.IMAGE_PULL_FAILED, image=task.image, detail=str(error))
    except WorkerLost as error:
        return report, handed_back(error)
    except RuntimeTrouble as error:
        return report, _system(Reason.EXECUTOR_FAILED, detail=str(error))
    except Interrupted:
        return report, STOPPED


def handed_back(error: WorkerLost) -> Failure:
    """What is reported of an attempt that will be repeated."""
    return Failure(Outcome.SYSTEM_FAILED, Reason.EXECUTOR_FAILED, exits.HANDED_BACK, {"detail": str(error)})


def judge(plan: ExecutionPlan, number: int, ended: Ended, disk_kib: Optional[int] = None) -> Optional[Failure]:
    """Whether a task that has ended makes the job fail, and why."""
    if ended.cause is Cause.STOPPED:
        return STOPPED
    if ended.cause is Cause.OUT_OF_TIME:
        limit = plainly(plan.walltime_s or 0)
        return Failure(Outcome.OUT_OF_TIME, Reason.WALLTIME_EXCEEDED, exits.OUT_OF_TIME, {"limit": limit})
    if ended.cause is Cause.OUT_OF_MEMORY:
        limit = f"{memory_gb(plan.memory_mib):g} GB"
        return Failure(Outcome.OUT_OF_MEMORY, Reason.MEMORY_EXCEEDED, exits.OUT_OF_MEMORY, {"limit": limit})
    if ended.cause is Cause.OUT_OF_DISK:
        size = {} if disk_kib is None else {"limit": f"{disk_gb(disk_kib):g} GB"}
        return Failure(Outcome.OUT_OF_DISK, Reason.DISK_EXCEEDED, exits.OUT_OF_DISK, size)
    details = {"task": str(number), "exit_code": str(ended.exit_code)}
    if ended.cause is Cause.NOT_STARTED:
        details["detail"] = ended.detail
        return Failure(Outcome.TASK_FAILED, Reason.COMMAND_NOT_FOUND, ended.exit_code, details)
    if ended.exit_code != 0:
        return Failure(Outcome.TASK_FAILED, Reason.TASK_FAILED, ended.exit_code, details)
    return None


def _with_image(
    task: PlannedTask, bench: Bench, limit_s: Optional[float], stop: Stop
) -> Tuple[ContainerRuntime, Optional[float]]:
    """A runtime that holds the task's image, and the seconds it took to fetch it."""
    names = choice.candidates(task.runtimes, bench.runtimes)
    if not names:
        raise _NoRuntime(choice.why_none(task.runtimes, bench.runtimes))
    for name in names:
        if bench.runtimes[name].has(task.image):
            return bench.runtimes[name], None
    refusals: Dict[str, str] = {}
    started = bench.clock()
    for name in names:
        runtime = bench.runtimes[name]
        try:
            runtime.fetch(task.image, left_s(limit_s, [bench.clock() - started]), stop)
        except FetchTimedOut:
            raise  # the others have no time left
        except FetchFailed as error:
            refusals[name] = str(error)
            continue
        return runtime, round(bench.clock() - started, 3)
    raise FetchFailed(choice.why_not_fetched(refusals))


def _container(plan: ExecutionPlan, number: int, runtime: str, bench: Bench) -> Container:
    task = plan.tasks[number]
    sandbox.make_workdir(bench.workspace.home, task.workdir)
    return Container(
        image=task.image,
        command=task.command,
        env=environment.of_task(plan, number, runtime, bench.job_id, bench.gpus),
        workdir=task.workdir,
        home=str(bench.workspace.home),
        tmp=str(bench.workspace.tmp),
        cpus=plan.cpus,
        memory_mib=plan.memory_mib,
        disk_kib=bench.disk_kib,
        gpus=plan.gpus > 0,
        mounts=tuple((str(source), mount.target) for source, mount in zip(bench.workspace.mounts, plan.mounts)),
    )


class _NoRuntime(RuntimeTrouble):
    """No runtime of this worker is acceptable to the task."""


def _system(reason: Reason, **details: str) -> Failure:
    return Failure(Outcome.SYSTEM_FAILED, reason, exits.SYSTEM_FAILED, details)


STOPPED = Failure(Outcome.REMOVED, Reason.INTERRUPTED, exits.STOPPED)
