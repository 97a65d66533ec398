"""A task's environment: the plan's, and what every task is told."""

from __future__ import annotations

from typing import Dict

from prominence.core.plan import ExecutionPlan
from prominence.core.units import memory_gb

HOME = "/home/user"
TMP = "/tmp"


def of_task(plan: ExecutionPlan, number: int, runtime: str, job_id: str) -> Dict[str, str]:
    """The environment of task `number`. Users may change what programs commonly read, not what we tell them."""
    return {
        "USER": "user",
        "TMP": TMP,
        "TEMP": TMP,
        "TMPDIR": TMP,
        **plan.tasks[number].env,
        "HOME": HOME,
        "PROMINENCE_JOB_ID": job_id,
        "PROMINENCE_CPUS": str(plan.cpus),
        "PROMINENCE_MEMORY": f"{memory_gb(plan.memory_mib):g}",
        "PROMINENCE_TASK_NUM": str(number),
        "PROMINENCE_CONTAINER_RUNTIME": runtime,
    }
