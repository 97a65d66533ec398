"""What the executor needs of a worker: container runtimes, and the words spoken with them.

A runtime knows one way to run a container and nothing of jobs, tasks or reports. Its promise is held by
tests/contract/test_runtimes.py.
"""

from __future__ import annotations

import enum
import time
from typing import TYPE_CHECKING, Callable, Mapping, NamedTuple, Protocol, Sequence, Tuple

if TYPE_CHECKING:
    from prominence.executor.imagefiles import ImageFile

from prominence.core.plan import RegistryCredential
from prominence.core.reasons import Reason


class Cause(str, enum.Enum):
    """Why a container is no longer running."""

    EXITED = "exited"  # by itself, whatever its exit code
    NOT_STARTED = "not started"  # its command is not there or cannot be executed
    OUT_OF_TIME = "out of time"
    OUT_OF_MEMORY = "out of memory"
    OUT_OF_DISK = "out of disk"
    STOPPED = "stopped"  # the executor was told to stop


class Attached(NamedTuple):
    """Storage that is mounted for a job: at `source`, for those who enter the namespaces of the process `holder`.

    target: where its containers see it. kept: a directory with what is on its way there and back.
    """

    holder: int
    source: str
    target: str
    kept: str


class Container(NamedTuple):
    """One container to be run.

    image: a registry name, or what the runtime calls the image of a file. command: argument list, never given to a
    shell; empty: the image's own entry point. env: all of its environment beyond the image's own. workdir: absolute
    path inside. home, tmp: directories of the worker that it sees as /home/user and /tmp. mounts: others of the
    workspace's, each with the path at which it is seen. disk_kib: what it may keep on the worker's disk, those
    included; None: nobody knows. gpus: whether it sees the worker's GPUs, app: which of the image's apps it is, and
    storage: what is mounted for it; only asked of Apptainer. between_nodes: whether it shares the worker's
    network, where the job's other nodes reach it; only asked of Docker by the broker.
    """

    image: str
    command: Tuple[str, ...]
    env: Mapping[str, str]
    workdir: str
    home: str
    tmp: str
    cpus: int
    memory_mib: int
    disk_kib: int | None = None
    gpus: bool = False
    mounts: Tuple[Tuple[str, str], ...] = ()
    app: str = ""
    storage: Attached | None = None
    between_nodes: bool = False


class Output(NamedTuple):
    """Descriptors for a container's stdout and stderr."""

    stdout: int
    stderr: int


class Limits:
    """When to end something that runs. timeout_s: None for no limit; grace_s: between warning signal and kill."""

    def __init__(self, timeout_s: float | None = None, grace_s: float = 10.0) -> None:
        self._timeout_s, self.grace_s = timeout_s, grace_s

    @property
    def timeout_s(self) -> float | None:
        """Looked at again and again: it may change while something runs."""
        return self._timeout_s


class Ended(NamedTuple):
    """What became of a container.

    exit_code: the command's, 128 + signal where a signal ended it; 126 or 127 where it was never started. signal:
    where the runtime tells. detail: for people, about NOT_STARTED. used_kib: of memory or disk, where that was too
    much, as far as it was seen. Unknown figures are None.
    """

    cause: Cause
    exit_code: int
    signal: int | None = None
    detail: str = ""
    image_digest: str | None = None
    cpu_s: float | None = None
    max_rss_kib: int | None = None
    used_kib: int | None = None


class Used(NamedTuple):
    """What a container that runs uses: processor seconds so far; memory and disk now. Unknown figures are None."""

    cpu_s: float | None = None
    memory_kib: int | None = None
    disk_kib: int | None = None


class RuntimeTrouble(Exception):
    """The runtime did not do its part; the user's command is not to blame. `str(error)` is for people."""


class RuntimeUnavailable(RuntimeTrouble):
    """It is not there, or does not answer."""


class WorkerLost(RuntimeTrouble):
    """The worker's part has gone from under the job, as when the worker is being stopped: it is to run once more."""


class FetchFailed(RuntimeTrouble):
    """The image cannot be had. The text says why in a few words, without the image's name.

    reason: IMAGE_UNAVAILABLE where trying again is right.
    """

    def __init__(self, text: str, reason: Reason = Reason.IMAGE_PULL_FAILED) -> None:
        super().__init__(text)
        self.reason = reason


class FetchTimedOut(FetchFailed):
    """The image was not there in time."""


class RuntimeFailed(RuntimeTrouble):
    """A container could not be run to its end."""


class NotRunning(RuntimeTrouble):
    """No container of this job is running."""


class OutOfTime(RuntimeTrouble):
    """What was run in a container took longer than it may."""


class Interrupted(Exception):
    """The executor was told to stop while it waited for something other than a task."""


class Stop:
    """Whether the executor was told to stop: set by a signal's handler, looked at by whoever waits."""

    def __init__(self) -> None:
        self._requested = False

    @property
    def requested(self) -> bool:
        """Whether it was."""
        return self._requested

    def request(self, *_: object) -> None:
        """Made to be a signal handler."""
        self._requested = True


class Farewell(Stop):
    """What is still done after the executor was told to stop: for so long, from when that was first noticed.

    told: what it was told by.
    """

    def __init__(self, stop: Stop, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.told, self._patience_s, self._clock = stop, patience_s, clock
        self._noticed_at: float | None = None

    @property
    def requested(self) -> bool:
        """Whether its time is up."""
        if not self.told.requested:
            return False
        if self._noticed_at is None:
            self._noticed_at = self._clock()
        return self._clock() - self._noticed_at >= self._patience_s


class ContainerRuntime(Protocol):
    """One way to run containers."""

    @property
    def name(self) -> str:
        """As plans and machine ads spell it: apptainer, docker, podman, udocker, or process for none."""

    def version(self) -> str:
        """The runtime's version, which also shows that it works. Raises RuntimeUnavailable."""

    def has(self, image: str, credential: RegistryCredential | None = None) -> bool:
        """Whether the image can be run without fetching it. Raises RuntimeTrouble.

        With a credential: whether this job has fetched it itself; what others have fetched says nothing about whether
        the registry would give it to this one.
        """

    def fetch(
        self, image: str, timeout_s: float | None, stop: Stop, credential: RegistryCredential | None = None
    ) -> None:
        """Get the image; fetching what is there already is fine. timeout_s: None for no limit.

        With a credential the registry is asked in any case, and the image is this job's alone.
        Raises FetchTimedOut, FetchFailed, Interrupted, WorkerLost.
        """

    def load(self, file: ImageFile, timeout_s: float | None, stop: Stop) -> str:
        """Take the image out of a file; what `run` is to call it. No other job can have it by any name.

        Raises FetchTimedOut, FetchFailed, Interrupted, WorkerLost.
        """

    def run(self, container: Container, limits: Limits, stop: Stop) -> Ended:
        """Run a container of a fetched image to its end; nothing of it is left running when this returns.

        Its output goes to this process's stdout and stderr. It sees no file of the worker but home and tmp, and its
        memory and disk are limited. Raises RuntimeFailed, WorkerLost.
        """

    def accompany(
        self, container: Container, output: Output, limits: Limits, stop: Stop, started: Callable[[], None]
    ) -> Ended:
        """The same beside those that `run` runs in another thread, with its output elsewhere. Call it before `run`.

        started: is called as soon as it runs. What all of them together use counts for those that `run` runs.
        Raises RuntimeFailed, WorkerLost.
        """

    def enter(self, command: Sequence[str], output: int, limit_s: float) -> int:
        """Run a command in the container that `run` runs in another thread; its exit code. output: a descriptor.

        It is the container's user, with its environment. Raises NotRunning, OutOfTime, RuntimeFailed, WorkerLost.
        """

    def usage(self) -> Used:
        """What the container that another thread runs uses. Raises NotRunning, RuntimeFailed, WorkerLost."""
