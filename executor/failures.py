"""Why a job did not succeed: in the report's words, with what the executor exits with."""

from __future__ import annotations

import math
from typing import Callable, Dict, NamedTuple, Optional

from prominence.core.plan import ExecutionPlan
from prominence.core.reasons import Reason
from prominence.core.report import Outcome
from prominence.core.units import disk_gb, kib, memory_gb, mib_needed, plainly
from prominence.executor import exits
from prominence.executor.ports import Cause, Ended, WorkerLost


class Failure(NamedTuple):
    """Why the job did not succeed, in the report's words, and what the executor exits with."""

    outcome: Outcome
    reason: Reason
    exit_code: int
    details: Dict[str, str] = {}


STOPPED = Failure(Outcome.REMOVED, Reason.INTERRUPTED, exits.STOPPED)


def of_system(reason: Reason, **details: str) -> Failure:
    """Not the task's: the worker's, a registry's or a store's."""
    return Failure(Outcome.SYSTEM_FAILED, reason, exits.SYSTEM_FAILED, details)


def handed_back(error: WorkerLost) -> Failure:
    """What is reported of an attempt that will be repeated."""
    return Failure(Outcome.SYSTEM_FAILED, Reason.EXECUTOR_FAILED, exits.HANDED_BACK, {"detail": str(error)})


def judge(
    plan: ExecutionPlan, number: int, ended: Ended, disk_kib: Optional[int] = None, spent_s: float = 0.0
) -> Optional[Failure]:
    """Whether a task that has ended makes the job fail, and why. spent_s: by all tasks up to its end."""
    if ended.cause is Cause.STOPPED:
        return STOPPED
    if ended.cause is Cause.OUT_OF_TIME:
        limit_s = plan.walltime_s or 0
        times = {"used": plainly(max(limit_s, math.ceil(spent_s))), "limit": plainly(limit_s)}
        return Failure(Outcome.OUT_OF_TIME, Reason.WALLTIME_EXCEEDED, exits.OUT_OF_TIME, times)
    if ended.cause is Cause.OUT_OF_MEMORY:
        sizes = _of_limit(ended.used_kib, kib(plan.memory_mib), lambda size: memory_gb(mib_needed(size)))
        return Failure(Outcome.OUT_OF_MEMORY, Reason.MEMORY_EXCEEDED, exits.OUT_OF_MEMORY, sizes)
    if ended.cause is Cause.OUT_OF_DISK:
        sizes = {} if disk_kib is None else _of_limit(ended.used_kib, disk_kib, disk_gb)
        return Failure(Outcome.OUT_OF_DISK, Reason.DISK_EXCEEDED, exits.OUT_OF_DISK, sizes)
    details = {"task": str(number), "exit_code": str(ended.exit_code)}
    if ended.cause is Cause.NOT_STARTED:
        details["detail"] = ended.detail
        return Failure(Outcome.TASK_FAILED, Reason.COMMAND_NOT_FOUND, ended.exit_code, details)
    if ended.exit_code != 0:
        return Failure(Outcome.TASK_FAILED, Reason.TASK_FAILED, ended.exit_code, details)
    return None


def _of_limit(used_kib: Optional[int], limit_kib: int, gigabytes: Callable[[int], float]) -> Dict[str, str]:
    """What was needed, of how much. Of what was refused nobody knows how much it would have been."""
    limit = f"{gigabytes(limit_kib):g} GB"
    used = None if used_kib is None else f"{gigabytes(used_kib):g} GB"
    return {"used": used if used is not None and used != limit else f"more than {limit}", "limit": limit}
