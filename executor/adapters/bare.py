"""No container: a task's command as the job's own account, on workers whose administrator lets jobs have that.

Such a task sees what the account sees: the worker's programs and files, its network, and the job's own files, token
included. Of what a container gives it, it has its own home and /tmp, by HOME and TMPDIR, and the limits on time, memory
and disk, which are looked at and not fenced in.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Dict, List, Mapping, Optional, Sequence, Set

from prominence.core.plan import RegistryCredential
from prominence.executor import beside, diskuse, keeper, process, proctree, sandbox, words
from prominence.executor.environment import HOME, TMP
from prominence.executor.ports import (
    Cause,
    Container,
    Ended,
    FetchFailed,
    Limits,
    NotRunning,
    Output,
    RuntimeFailed,
    Stop,
    Used,
)

if TYPE_CHECKING:
    from prominence.executor.imagefiles import ImageFile


class BareProcess:
    """ContainerRuntime."""

    name = "process"

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._path = environment.get("PATH", os.defpath)
        self._running: Optional[Container] = None
        self._watch: Optional[diskuse.Watch] = None
        self._keepers: Set[int] = set()

    def version(self) -> str:
        return os.uname().release

    def has(self, image: str, credential: RegistryCredential | None = None) -> bool:
        return True  # there is none

    def fetch(
        self, image: str, timeout_s: float | None, stop: Stop, credential: RegistryCredential | None = None
    ) -> None:
        pass

    def load(self, file: ImageFile, timeout_s: float | None, stop: Stop) -> str:
        raise FetchFailed("what runs without a container has no image")

    def run(self, container: Container, limits: Limits, stop: Stop) -> Ended:
        if missing := self._missing(container):
            return missing
        self._running = container
        try:
            with diskuse.watched([container.home, container.tmp], container.disk_kib) as watch:
                self._watch = watch
                done = process.run(
                    started_in(container),
                    self._env(container),
                    limits,
                    stop,
                    memory_mib=container.memory_mib,
                    disk=watch,
                )
        finally:
            self._running = None
        return done.ended()

    def accompany(
        self, container: Container, output: Output, limits: Limits, stop: Stop, started: Callable[[], None]
    ) -> Ended:
        if missing := self._missing(container):
            return missing
        kept = keeper.Kept(started_in(container), self._env(container), output, limits.grace_s, container.memory_mib)
        self._keepers.add(kept.pid)
        return Ended(*kept.wait(stop, started))

    def enter(self, command: Sequence[str], output: int, limit_s: float) -> int:
        container = self._running
        if container is None:
            raise NotRunning("no task is running")
        also = container._replace(command=tuple(command))
        return beside.run(started_in(also), self._env(container), output, limit_s)

    def usage(self) -> Used:
        if self._running is None:
            raise NotRunning("no task is running")
        tree = proctree.descendants(proctree.table(), os.getpid(), self._keepers)
        return process.used(tree, self._watch)

    def _missing(self, container: Container) -> Optional[Ended]:
        """That there is nothing to run, in the words for containers. Raises RuntimeFailed."""
        if not container.command or container.mounts or container.gpus:
            raise RuntimeFailed("a task without a container needs a command, and can have no mounts and no GPUs")
        for directory in (container.home, container.tmp):
            sandbox.check(Path(directory))
        program, directory = container.command[0], here(container.workdir, container)
        if not os.path.isdir(directory):
            return Ended(Cause.NOT_STARTED, words.NOT_EXECUTABLE, detail=f"there is no directory {container.workdir}")
        where = os.path.join(directory, program) if "/" in program else program
        if shutil.which(where, path=self._path):
            return None
        if "/" in program and os.path.exists(where):
            return Ended(Cause.NOT_STARTED, words.NOT_EXECUTABLE, detail=f"{program} cannot be executed")
        return Ended(Cause.NOT_STARTED, words.NOT_FOUND, detail=f"the worker has no {program}")

    def _env(self, container: Container) -> Dict[str, str]:
        places = {HOME: container.home, TMP: container.tmp}
        told = {name: places.get(value, value) for name, value in container.env.items()}
        return {"PATH": self._path, **told}


def started_in(container: Container) -> List[str]:
    """Its command, in its working directory."""
    return ["env", f"--chdir={here(container.workdir, container)}", "--", *container.command]


def here(path: str, container: Container) -> str:
    """A path as the task would see it in a container, on the worker."""
    for seen, place in ((HOME, container.home), (TMP, container.tmp)):
        if path == seen or path.startswith(f"{seen}/"):
            return place + path[len(seen) :]
    return path
