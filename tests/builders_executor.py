"""Valid objects of the executor's world, and a container runtime that only pretends."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prominence.core.plan import ExecutionPlan, PlannedStorage, PlannedTask, RegistryCredential
from prominence.core.reasons import Reason
from prominence.core.report import TransferReport
from prominence.executor.bench import Bench
from prominence.executor.broker.requests import Run
from prominence.executor.failures import Failure
from prominence.executor.imagefiles import ImageFile
from prominence.executor.ports import (
    Attached,
    Cause,
    Container,
    ContainerRuntime,
    Ended,
    FetchFailed,
    FetchTimedOut,
    Interrupted,
    Limits,
    NotRunning,
    Output,
    RuntimeFailed,
    Stop,
    Used,
)
from prominence.executor.sandbox import Workspace
from prominence.executor.stage_in import Progress
from prominence.executor.teams import Single, Team
from prominence.executor.transfer import Address, Refused
from prominence.executor.worker import Alone, Found


def a_planned_task(**changes: Any) -> PlannedTask:
    """A task for any runtime."""
    return PlannedTask(**{"image": "busybox:1", "runtimes": ("apptainer", "docker"), "command": ("true",), **changes})


def a_plan(*tasks: PlannedTask, **changes: Any) -> ExecutionPlan:
    """A job of one core and one GB without a walltime."""
    defaults: dict[str, Any] = {
        "job": "4b2c",
        "name": "a job",
        "tasks": tasks or (a_planned_task(),),
        "cpus": 1,
        "memory_mib": 1000,
        "walltime_s": None,
    }
    return ExecutionPlan(**{**defaults, **changes})


def a_container(**changes: Any) -> Container:
    """One that runs `true`."""
    defaults: dict[str, Any] = {
        "image": "busybox:1",
        "command": ("true",),
        "env": {},
        "workdir": "/home/user",
        "home": "/sandbox/home",
        "tmp": "/sandbox/tmp",
        "cpus": 1,
        "memory_mib": 1000,
    }
    return Container(**{**defaults, **changes})


def a_run(**changes: Any) -> Run:
    """What a job asks of the broker."""
    defaults: dict[str, Any] = {
        "image": "busybox:1",
        "command": ("true",),
        "env": {},
        "workdir": "/home/user",
        "cpus": 1,
        "memory_mib": 1000,
    }
    return Run(**{**defaults, **changes})


AWAY = "nobody answers"
"""Why an image cannot be had that may be had later."""
TOO_LONG = "too long"
"""Why an image of the pretended runtime cannot be had: its time is up."""

LOADING = "any file"
"""As an image of the pretended runtime: one that is taken out of a file."""


@dataclass
class PretendedRuntime:
    """ContainerRuntime in memory. ends: what each run gives, in order; afterwards all succeed.

    fetching: why images cannot be had, by name. on_fetch, on_run: what happens meanwhile. using: what
    its container uses, or why that is not known.
    """

    name: str = "apptainer"
    held: Collection[str] = ()
    ends: list[Ended | Exception] = field(default_factory=list)
    fetching: Mapping[str, str] = field(default_factory=dict)
    on_fetch: Callable[[], None] = lambda: None
    on_run: Callable[[], None] = lambda: None
    ran: list[tuple[Container, Limits]] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    shown: list[RegistryCredential | None] = field(default_factory=list)
    loaded: list[ImageFile] = field(default_factory=list)
    given_s: list[float | None] = field(default_factory=list)
    using: Used | Exception = field(default_factory=lambda: NotRunning("nothing is running"))
    accompanied: list[Container] = field(default_factory=list)
    patience: threading.Event = field(default_factory=threading.Event)

    def version(self) -> str:
        return f"{self.name} 1"

    def has(self, image: str, credential: RegistryCredential | None = None) -> bool:
        return image in self.fetched or (image in self.held and credential is None)

    def fetch(
        self, image: str, timeout_s: float | None, stop: Stop, credential: RegistryCredential | None = None
    ) -> None:
        self.on_fetch()
        self.shown.append(credential)
        self.given_s.append(timeout_s)
        if stop.requested:
            raise Interrupted
        if self.fetching.get(image) == TOO_LONG:
            raise FetchTimedOut("the registry takes too long")
        if image in self.fetching:
            said = self.fetching[image]
            raise FetchFailed(said, Reason.IMAGE_UNAVAILABLE if said == AWAY else Reason.IMAGE_PULL_FAILED)
        self.fetched.append(image)

    def load(self, file: ImageFile, timeout_s: float | None, stop: Stop) -> str:
        self.given_s.append(timeout_s)
        if LOADING in self.fetching:
            raise FetchFailed(self.fetching[LOADING])
        assert file.path.exists()
        self.loaded.append(file)
        return f"file {len(self.loaded)}"

    def enter(self, command: Sequence[str], output: int, limit_s: float) -> int:
        raise NotRunning("nothing is running")

    def usage(self) -> Used:
        if isinstance(self.using, Exception):
            raise self.using
        return self.using

    def accompany(
        self, container: Container, output: Output, limits: Limits, stop: Stop, started: Callable[[], None]
    ) -> Ended:
        self.accompanied.append(container)
        os.write(output.stdout, b"beside\n")
        started()
        while not stop.requested:
            self.patience.wait(0.001)
        return Ended(Cause.STOPPED, 143)

    def run(self, container: Container, limits: Limits, stop: Stop) -> Ended:
        self.ran.append((container, limits))
        self.on_run()
        end = self.ends.pop(0) if self.ends else Ended(Cause.EXITED, 0)
        if isinstance(end, Exception):
            raise end
        return end


class StopAfter(Stop):
    """A request that comes when somebody has looked for one so many times."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks

    @property
    def requested(self) -> bool:
        self._looks -= 1
        return self._looks < 0


def _tag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()}"'


@dataclass
class PretendedWeb:
    """Web and Objects in memory. failing: what is raised for a name. on_get: what happens when something has come.

    given: what is passed, by the number of what is passed and that of the instance that passes it. tells: whether it
    tells the checksum of what has arrived; announced: the checksums that it was told before.
    """

    contents: dict[str, bytes] = field(default_factory=dict)
    given: dict[tuple[int, int], list[tuple[str, bool]]] = field(default_factory=dict)
    failing: dict[str, Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    rooms: list[int | None] = field(default_factory=list)
    announced: list[str | None] = field(default_factory=list)
    tells: bool = False
    on_get: Callable[[], None] = lambda: None

    def get(self, address: Address, file: Path, most: int | None, stop: Stop) -> str:
        self._begin(address.url)
        if address.url not in self.contents:
            raise Refused("the server says 404 Not Found")
        self.rooms.append(most)
        file.write_bytes(self.contents[address.url])
        self.on_get()
        return _tag(self.contents[address.url])

    def is_still(self, address: Address, tag: str) -> bool:
        self._begin(address.url)
        return tag == _tag(self.contents[address.url])

    def put(self, address: Address, file: Path, stop: Stop) -> str | None:
        self._begin(address.url)
        content = file.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        assert (len(content), sha256) == (address.size, sha256 if address.tells_checksum else address.sha256)
        self.contents[address.url] = content
        return sha256 if address.tells_checksum else None

    def to_get(self, name: str) -> Address:
        return Address(f"store:{name}")

    def to_put(self, name: str, size: int, sha256: str | None) -> Address:
        self.announced.append(sha256)
        return Address(f"store:{name}", size=size, sha256=sha256, tells_checksum=self.tells and sha256 is None)

    def passed(self, number: int, instance: int) -> list[tuple[str, bool]]:
        self._begin(f"passed:{number}.{instance}")
        return self.given.get((number, instance), [])

    def to_get_passed(self, number: int, instance: int, name: str) -> Address:
        return Address(f"passed:{number}.{instance}/{name}")

    def _begin(self, url: str) -> None:
        self.asked.append(url)
        if url in self.failing:
            raise self.failing[url]


class PretendedFiles:
    """Of a job: why they did not come, or could not be kept; and what was done with them."""

    def __init__(self, *names: str, missing: Failure | None = None, lost: Failure | None = None) -> None:
        self._names, self._missing, self._lost = names, missing, lost
        self.done: list[str] = []

    def checkpoints(self) -> None:
        return None

    def stage_in(self, stop: Stop, progress: Progress) -> Failure | None:
        self.done.append("in")
        self._tell(progress)
        return self._missing

    def stage_out(self, stop: Stop, progress: Progress) -> Failure | None:
        self.done.append("out")
        self._tell(progress)
        return self._lost

    def _tell(self, progress: Progress) -> None:
        if self._names:
            progress(tuple(TransferReport(name, "success", 1.0) for name in self._names))


class PretendedStorage:
    """What was done with it; why it could not be mounted, or written to."""

    def __init__(self, missing: Failure | None = None, lost: Failure | None = None) -> None:
        self._missing, self._lost = missing, lost
        self.attached: Attached | None = None
        self.done: list[str] = []

    def mount(self, stop: Stop) -> Failure | None:
        self.done.append("mount")
        self.attached = Attached(42, "/seen", "/data", "/kept")
        return self._missing

    def end(self, stop: Stop) -> Failure | None:
        self.done.append("end")
        return self._lost


class PretendedWorker:
    """`worker.Worker` without a machine."""

    job_id = "17"
    member: tuple[int, int] | None = None
    host = "worker-1"
    processor: Mapping[str, str] = {"cpu_model": "Zilog Z80"}
    disk_kib = 1024 * 1024
    cpus = 3
    node = (0, 1)
    gpus: dict[str, str] = {}

    def __init__(self, *runtimes: PretendedRuntime, refuses: str = "") -> None:
        self._runtimes = runtimes
        self._refuses = refuses
        self.asked_for: Sequence[str] = ()
        self.staging = PretendedFiles()
        self.beside = Alone()
        self.mounted = PretendedStorage()

    def find(self, wanted: Sequence[str]) -> Found:
        self.asked_for = wanted
        runtimes: dict[str, ContainerRuntime] = {one.name: one for one in self._runtimes if one.name in wanted}
        return Found(runtimes, {name: runtime.version() for name, runtime in runtimes.items()})

    def credentials(self, plan: ExecutionPlan) -> tuple[RegistryCredential | None, ...]:
        return tuple(RegistryCredential("alice", "a token") if task.private else None for task in plan.tasks)

    def storage(self, plan: PlannedStorage, patience_s: float) -> PretendedStorage:
        return self.mounted

    def team(self, plan: ExecutionPlan) -> Team:
        return Single()

    def company(self, plan: ExecutionPlan, bench: Bench) -> Alone:
        return self.beside

    def workspace(self, runtimes: dict[str, ContainerRuntime], mounts: int, beside: int = 0) -> Workspace:
        if self._refuses:
            raise RuntimeFailed(self._refuses)
        return Workspace(Path("/nowhere/home"), Path("/nowhere/tmp"))

    def image_files(self, plan: ExecutionPlan, workspace: Workspace) -> None:
        return None

    def attend(self, bench: Bench, live_s: int | None, over: threading.Event) -> None:
        self.attended = over

    def files(self, plan: ExecutionPlan, workspace: Workspace) -> PretendedFiles:
        return self.staging


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def make_tree(directory: Path, depth: int) -> None:
    """Directories in one another, deeper than a path can be long, made without ever naming a long path."""
    here = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("d" * 100, dir_fd=here)
        below = os.open("d" * 100, os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
