"""A task's environment: the plan's, and what every task is told."""

from __future__ import annotations

from typing import Dict, Mapping, Optional, Tuple

from prominence.core.plan import ExecutionPlan, PlannedTask
from prominence.core.units import memory_gb

HOME = "/home/user"
TMP = "/tmp"


OF_GPUS = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL")
"""Variables by which HTCondor tells a job which GPUs are its own, and libraries go by them."""


OF_MEMBERS = ("PROMINENCE_ARRAY_INDEX", "PROMINENCE_ARRAY_COUNT")
"""Variables that tell a member of an array its place in it, counted from 0, and how many members there are."""


OF_THE_END = ("PROMINENCE_WORKFLOW_STATUS", "PROMINENCE_WORKFLOW_FAILED")
"""Variables that tell a job at the end of a workflow how that has ended, and how many of its jobs have failed."""


JOB, WORKFLOW = "PROMINENCE_JOB_ID", "PROMINENCE_WORKFLOW_ID"
"""Variables with the job's number and its workflow's, which stand for them in commands and working directories, too."""


def told_of_itself(plan: ExecutionPlan, job_id: str, workflow: str) -> ExecutionPlan:
    """The plan of the job with this number. workflow: as in `condor.Surroundings`."""
    values = {JOB: job_id, **({WORKFLOW: workflow} if workflow else {})}
    return plan._replace(tasks=tuple(_task_of(task, values) for task in plan.tasks))


def _task_of(task: PlannedTask, values: Mapping[str, str]) -> PlannedTask:
    told = task._replace(env={**task.env, **values})
    if not any("PROMINENCE_" in text for text in (*task.command, task.workdir)):
        return told
    from prominence.core.substitution import substitute  # few tasks have any

    return told._replace(
        command=tuple(substitute(word, values) for word in task.command), workdir=substitute(task.workdir, values)
    )


def told_of_the_end(plan: ExecutionPlan, end: Tuple[int, int]) -> ExecutionPlan:
    """The plan, with tasks that are told of it. end: as in `condor.Surroundings`."""
    status, failed = end
    told = dict(zip(OF_THE_END, ("failed" if status else "completed", str(failed))))
    return plan._replace(tasks=tuple(task._replace(env={**task.env, **told}) for task in plan.tasks))


def of_task(
    plan: ExecutionPlan,
    number: int,
    runtime: str,
    job_id: str,
    gpus: Mapping[str, str],
    member: Optional[Tuple[int, int]] = None,
    restarted: bool = False,
    node: Tuple[int, int] = (0, 1),
) -> Dict[str, str]:
    """The environment of task `number`. gpus: of OF_GPUS what HTCondor has set. member: as in `condor.Surroundings`.
    restarted: whether there is a checkpoint to go on from. node: which of how many of the job's this is.

    Users may change what programs commonly read, not what we tell them.
    """
    return {
        "USER": "user",
        "TMP": TMP,
        "TEMP": TMP,
        "TMPDIR": TMP,
        **plan.tasks[number].env,
        "HOME": HOME,
        JOB: job_id,
        "PROMINENCE_CPUS": str(plan.cpus),
        "PROMINENCE_MEMORY": f"{memory_gb(plan.memory_mib):g}",
        "PROMINENCE_NODES": str(node[1]),
        "PROMINENCE_NODE_NUM": str(node[0]),
        "PROMINENCE_TASK_NUM": str(number),
        "PROMINENCE_CONTAINER_RUNTIME": runtime,
        **({"PROMINENCE_RESTART": "1"} if restarted else {}),
        **(gpus if plan.gpus else {}),
        **({} if member is None else dict(zip(OF_MEMBERS, map(str, member)))),
    }
