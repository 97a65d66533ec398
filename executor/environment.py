"""A task's environment: the plan's, and what every task is told."""

from __future__ import annotations

from typing import Dict, Mapping

from prominence.core.plan import ExecutionPlan
from prominence.core.units import memory_gb

HOME = "/home/user"
TMP = "/tmp"


OF_GPUS = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL")
"""Variables by which HTCondor tells a job which GPUs are its own, and libraries go by them."""


def of_task(plan: ExecutionPlan, number: int, runtime: str, job_id: str, gpus: Mapping[str, str]) -> Dict[str, str]:
    """The environment of task `number`. gpus: of OF_GPUS what HTCondor has set.

    Users may change what programs commonly read, not what we tell them.
    """
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
        **(gpus if plan.gpus else {}),
    }
