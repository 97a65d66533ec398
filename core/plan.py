"""ExecutionPlan: what a worker is to do for one job, with every default and limit resolved.

Made by the API's translation, read by the executor. Standard library only and Python 3.9: the executor carries
this module. New fields get a default, so that a plan from an older API still runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Optional, Tuple  # evaluated at run time on Python 3.9

VERSION = 1
FILE_NAME = "plan.json"


@dataclass(frozen=True)
class PlannedTask:
    """One container run.

    image: a registry name (docker's conventions).
    runtimes: acceptable runtimes, best first, of "apptainer", "docker", "podman".
    command: argument list run in the container, never by a shell; empty: the image's own entry point.
    workdir: absolute path in the container.
    """

    image: str
    runtimes: Tuple[str, ...]
    command: Tuple[str, ...] = ()
    env: Dict[str, str] = field(default_factory=dict)
    workdir: str = "/home/user"


@dataclass(frozen=True)
class ExecutionPlan:
    """The whole job.

    job: the job's unique identifier (a UUID; the ClusterId is known only after this is written).
    cpus: cores; memory_mib: MiB, the limit put on each task's runtime.
    walltime_s: seconds for all tasks together, without the time to fetch images; None: no limit.
    grace_s: seconds between the warning signal and the kill.
    """

    job: str
    name: str
    tasks: Tuple[PlannedTask, ...]
    cpus: int
    memory_mib: int
    walltime_s: Optional[int]
    grace_s: int = 10
    version: int = VERSION
