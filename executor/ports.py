"""What the executor needs of a worker: container runtimes, and the words spoken with them.

A runtime knows one way to run a container and nothing of jobs, tasks or reports. Its promise is held by
tests/contract/test_runtimes.py.
"""

from __future__ import annotations

import enum
from typing import Mapping, NamedTuple, Protocol, Sequence, Tuple


class Cause(str, enum.Enum):
    """Why a container is no longer running."""

    EXITED = "exited"  # by itself, whatever its exit code
    NOT_STARTED = "not started"  # its command is not there or cannot be executed
    OUT_OF_TIME = "out of time"
    OUT_OF_MEMORY = "out of memory"
    OUT_OF_DISK = "out of disk"
    STOPPED = "stopped"  # the executor was told to stop


class Container(NamedTuple):
    """One container to be run.

    image: a registry name. command: argument list, never given to a shell; empty: the image's own entry point.
    env: all of its environment beyond the image's own. workdir: absolute path inside.
    home, tmp: directories of the worker that it sees as /home/user and /tmp. mounts: others of the workspace's, each
    with the path at which it is seen. disk_kib: what it may keep on the worker's disk, those included; None: nobody
    knows. gpus: whether it sees the worker's GPUs; only asked of Apptainer.
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


class Limits(NamedTuple):
    """When to end something that runs. timeout_s: None for no limit; grace_s: between warning signal and kill."""

    timeout_s: float | None = None
    grace_s: float = 10.0


class Ended(NamedTuple):
    """What became of a container.

    exit_code: the command's, 128 + signal where a signal ended it; 126 or 127 where it was never started. signal:
    where the runtime tells. detail: for people, about NOT_STARTED. Unknown figures are None.
    """

    cause: Cause
    exit_code: int
    signal: int | None = None
    detail: str = ""
    image_digest: str | None = None
    cpu_s: float | None = None
    max_rss_kib: int | None = None


class RuntimeTrouble(Exception):
    """The runtime did not do its part; the user's command is not to blame. `str(error)` is for people."""


class RuntimeUnavailable(RuntimeTrouble):
    """It is not there, or does not answer."""


class WorkerLost(RuntimeTrouble):
    """The worker's part has gone from under the job, as when the worker is being stopped: it is to run once more."""


class FetchFailed(RuntimeTrouble):
    """The image cannot be had. The text says why in a few words, without the image's name."""


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
        self.requested = False

    def request(self, *_: object) -> None:
        """Made to be a signal handler."""
        self.requested = True


class ContainerRuntime(Protocol):
    """One way to run containers."""

    @property
    def name(self) -> str:
        """As plans and machine ads spell it: apptainer, docker or podman."""

    def version(self) -> str:
        """The runtime's version, which also shows that it works. Raises RuntimeUnavailable."""

    def has(self, image: str) -> bool:
        """Whether the image can be run without fetching it. Raises RuntimeTrouble."""

    def fetch(self, image: str, timeout_s: float | None, stop: Stop) -> None:
        """Get the image; fetching what is there already is fine. timeout_s: None for no limit.

        Raises FetchTimedOut, FetchFailed, Interrupted, WorkerLost.
        """

    def run(self, container: Container, limits: Limits, stop: Stop) -> Ended:
        """Run a container of a fetched image to its end; nothing of it is left running when this returns.

        Its output goes to this process's stdout and stderr. It sees no file of the worker but home and tmp, and its
        memory and disk are limited. Raises RuntimeFailed, WorkerLost.
        """

    def enter(self, command: Sequence[str], output: int, limit_s: float) -> int:
        """Run a command in the container that another thread runs; its exit code. output: a descriptor.

        It is the container's user, with its environment. Raises NotRunning, OutOfTime, RuntimeFailed, WorkerLost.
        """
