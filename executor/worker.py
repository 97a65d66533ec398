"""What an attempt needs of the machine that it is on, and what a job is given there."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, NamedTuple, Optional, Protocol, Sequence, Tuple

from prominence.core.plan import ExecutionPlan, PlannedStorage, RegistryCredential
from prominence.core.report import TaskReport, TransferReport
from prominence.executor.bench import Bench
from prominence.executor.failures import Failure
from prominence.executor.ports import Attached, ContainerRuntime, Stop
from prominence.executor.sandbox import Workspace
from prominence.executor.teams import Team

if TYPE_CHECKING:
    from prominence.executor.checkpoints import Checkpoints
    from prominence.executor.images import ImageFiles

Progress = Callable[[Tuple[TransferReport, ...]], None]


class Found(NamedTuple):
    """The runtimes that work here and their versions, both by name."""

    runtimes: Dict[str, ContainerRuntime]
    versions: Dict[str, str]


class Files(Protocol):
    """The job's files, on their way in and out. Either tells why it did not work."""

    def stage_in(self, stop: Stop, progress: Progress) -> Optional[Failure]:
        """Before the tasks."""

    def stage_out(self, stop: Stop, progress: Progress) -> Optional[Failure]:
        """After the tasks, also when one has failed or was told to stop, since what they left may tell why."""

    def checkpoints(self) -> Optional[Checkpoints]:
        """Those of a job that saves some."""


class NoFiles:
    """`Files` of a job that is given none and keeps none."""

    def checkpoints(self) -> Optional[Checkpoints]:
        return None

    def stage_in(self, stop: Stop, progress: Progress) -> Optional[Failure]:
        return None

    def stage_out(self, stop: Stop, progress: Progress) -> Optional[Failure]:
        return None


class Storage(Protocol):
    """Storage of the user's own that the job's tasks see."""

    attached: Optional[Attached]
    """What they see, while it is mounted."""

    def mount(self, stop: Stop) -> Optional[Failure]:
        """Before the tasks; why it could not be. What has been begun is still to be ended."""

    def end(self, stop: Stop) -> Optional[Failure]:
        """After the tasks: what they wrote is there when this returns, or it tells why not. May be repeated."""


class Company(Protocol):
    """What runs beside the job's tasks."""

    def start(self, stop: Stop) -> Optional[Failure]:
        """Before the first of them; why it could not be. What was started is still to be ended."""

    def end(self) -> Tuple[TaskReport, ...]:
        """After the last of them. What became of all that were started; may be repeated."""


class Alone:
    """`Company` of a job whose tasks run alone."""

    def start(self, stop: Stop) -> Optional[Failure]:
        return None

    def end(self) -> Tuple[TaskReport, ...]:
        return ()


class Worker(Protocol):
    """The machine we are on. `main` makes one of real parts."""

    @property
    def job_id(self) -> str:
        """The job's number."""

    @property
    def member(self) -> Optional[Tuple[int, int]]:
        """Of an array: as in `condor.Surroundings`."""

    @property
    def host(self) -> str:
        """The execute point's name."""

    @property
    def processor(self) -> Mapping[str, Any]:
        """For people: of cpu_vendor, cpu_model and cpu_clock of a report what is known."""

    @property
    def disk_kib(self) -> Optional[int]:
        """What the job may keep on its disk; None: nobody knows."""

    @property
    def cpus(self) -> Optional[int]:
        """The cores of the job's slot; None: nobody knows."""

    @property
    def gpus(self) -> Mapping[str, str]:
        """Of `environment.OF_GPUS` what HTCondor has set."""

    def credentials(self, plan: ExecutionPlan) -> Tuple[Optional[RegistryCredential], ...]:
        """What registries want, for each task; empty where no task has any. Raises OSError, BadDocument."""

    def find(self, wanted: Sequence[str]) -> Found:
        """Which of these runtimes work here. Raises WorkerLost where one does not that is known to have worked."""

    def files(self, plan: ExecutionPlan, workspace: Workspace) -> Files:
        """What the job is given and what it keeps."""

    def image_files(self, plan: ExecutionPlan, workspace: Workspace) -> Optional[ImageFiles]:
        """The images of the job that are files; None: there are none."""

    def attend(self, bench: Bench, live_s: Optional[int], over: threading.Event) -> None:
        """Carry out the orders that the job is given, and tell every live_s what it uses, until it is over."""

    def storage(self, plan: PlannedStorage, patience_s: float) -> Storage:
        """The job's storage. patience_s: as in `ExecutionPlan`. Raises OSError, BadDocument."""

    def company(self, plan: ExecutionPlan, bench: Bench) -> Company:
        """What runs beside the job's tasks."""

    @property
    def node(self) -> Tuple[int, int]:
        """Which of how many nodes of the job this is."""

    def team(self, plan: ExecutionPlan) -> Team:
        """The job's nodes."""

    def workspace(self, runtimes: Dict[str, ContainerRuntime], mounts: int, beside: int = 0) -> Workspace:
        """The directories of this job, such that all of these runtimes can show them, with so many to be mounted.

        beside: how many containers are to run beside the tasks'.

        Raises RuntimeTrouble.
        """
