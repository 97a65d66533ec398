"""What the tasks of a job are run with, and what it has left for them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Callable, Mapping, NamedTuple, Optional, Tuple

from prominence.core.plan import PATIENCE_S, RegistryCredential
from prominence.executor import sandbox
from prominence.executor.deadline import Walltime
from prominence.executor.ports import Attached, ContainerRuntime

if TYPE_CHECKING:
    from prominence.executor.firstnode import First
    from prominence.executor.images import ImageFiles


class Bench(NamedTuple):
    """What tasks are run with: the runtimes that work here, by name, and the directories they share.

    walltime: the plan's, as long as it is not changed. disk_kib: what the job may keep on this worker's disk; None:
    nobody knows. gpus: variables that tell the job's. credentials: of each task; empty where none has any. images:
    those that are files; None: the job has none. member: as in `condor.Surroundings`.
    restarted: whether there is a checkpoint in the home to go on from. storage: the job's own, once it is mounted.
    patience_s: as in `ExecutionPlan`. node: which of how many nodes of the job this is. between: the first of several,
    where what an MPI starts on the others is passed on.
    """

    runtimes: Mapping[str, ContainerRuntime]
    workspace: sandbox.Workspace
    job_id: str
    walltime: Walltime
    disk_kib: Optional[int] = None
    gpus: Mapping[str, str] = {}
    credentials: Tuple[Optional[RegistryCredential], ...] = ()
    images: Optional[ImageFiles] = None
    member: Optional[Tuple[int, int]] = None
    restarted: bool = False
    storage: Optional[Attached] = None
    patience_s: float = PATIENCE_S
    node: Tuple[int, int] = (0, 1)
    between: Optional[First] = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
