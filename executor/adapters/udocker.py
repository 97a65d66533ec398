"""Containers by udocker, where an administrator lets jobs use it: images are unpacked, and nothing isolates them.

It needs no privilege and no daemon, and so runs where nothing else does. A task has the root directory of its image,
and otherwise what the job's account has: the worker's processes and its network are before it. Limits on memory and
disk are looked at, as with a bare process.
"""

from __future__ import annotations

import os
import re
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Set

from prominence.core.plan import RegistryCredential
from prominence.executor import diskuse, keeper, process, proctree, proxies, sandbox, words
from prominence.executor.adapters.envfile import environment_file, one_by_one
from prominence.executor.ports import (
    Cause,
    Container,
    Ended,
    FetchFailed,
    Limits,
    NotRunning,
    Output,
    RuntimeFailed,
    RuntimeUnavailable,
    Stop,
    Used,
)

if TYPE_CHECKING:
    from prominence.executor.imagefiles import ImageFile

_SHORT = Limits(timeout_s=120, grace_s=1)
_GRACE_OF_FETCH_S = 10


class Udocker:
    """ContainerRuntime. directory: where images are kept and unpacked for this job."""

    name = "udocker"

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._environment = environment
        self._fetched: Set[str] = set()
        self._running = False
        self._watch: Optional[diskuse.Watch] = None

    def version(self) -> str:
        try:
            done = process.run(["udocker", "--version"], self._env(), _SHORT, Stop(), capture=True)
        except RuntimeFailed as error:
            raise RuntimeUnavailable(str(error)) from error
        if done.exit_code != 0:
            raise RuntimeUnavailable(words.last_line(done.stderr) or "udocker does not work")
        found = re.search(r"^version: (\S+)", done.stdout, re.MULTILINE)
        return found[1] if found else "unknown"

    def has(self, image: str, credential: RegistryCredential | None = None) -> bool:
        return image in self._fetched  # by this job; it shares nothing with others

    def fetch(
        self, image: str, timeout_s: float | None, stop: Stop, credential: RegistryCredential | None = None
    ) -> None:
        if credential is not None:
            # Its login takes a password on the command line, which everybody on the worker sees.
            raise FetchFailed("private images are not fetched with udocker")
        self._ask(pull_command(image), timeout_s, stop)
        self._fetched.add(image)

    def load(self, file: ImageFile, timeout_s: float | None, stop: Stop) -> str:
        if file.saved is None:
            raise FetchFailed("images of Apptainer's are not run with udocker")
        name = f"prominence/file:{len(self._fetched)}"
        self._ask(load_command(file.path, name), timeout_s, stop)
        self._fetched.add(name)
        return name

    def run(self, container: Container, limits: Limits, stop: Stop) -> Ended:
        self._check(container)
        self._running = True
        places = [container.home, container.tmp, *(source for source, _ in container.mounts)]
        try:
            with diskuse.watched(places, container.disk_kib) as watch:
                self._watch = watch
                with self._command(container) as command:
                    done = process.run(command, self._env(), limits, stop, memory_mib=container.memory_mib, disk=watch)
        finally:
            self._running = False
        if done.cause is Cause.EXITED and done.exit_code in (words.NOT_FOUND, words.NOT_EXECUTABLE):
            program = container.command[0] if container.command else ""
            code, detail = words.why_not_started(program, container.workdir, done.stderr)
            if code:
                return Ended(Cause.NOT_STARTED, code, detail=detail)
        return done.ended()

    def accompany(
        self, container: Container, output: Output, limits: Limits, stop: Stop, started: Callable[[], None]
    ) -> Ended:
        self._check(container)
        with self._command(container) as command:
            kept = keeper.Kept(command, self._env(), output, limits.grace_s, container.memory_mib)
            return Ended(*kept.wait(stop, started))

    def enter(self, command: Sequence[str], output: int, limit_s: float) -> int:
        raise NotRunning("udocker cannot enter a container that runs")

    def usage(self) -> Used:
        if not self._running:
            raise NotRunning("no container is running")
        return process.used(proctree.descendants(proctree.table(), os.getpid()), self._watch)

    @contextmanager
    def _command(self, container: Container) -> Iterator[List[str]]:
        """Its environment is in a file, as far as it can be: argument lists can be seen by everybody."""
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="") as file:
            file.write(environment_file(container.env))
            file.flush()
            yield run_command(container, f"prominence-{uuid.uuid4().hex}", file.name)

    def _check(self, container: Container) -> None:
        if container.gpus:
            raise RuntimeFailed("udocker gives no GPUs to containers")
        for directory in (container.home, container.tmp, *(source for source, _ in container.mounts)):
            sandbox.check(Path(directory))

    def _ask(self, command: Sequence[str], timeout_s: float | None, stop: Stop) -> None:
        env = {**self._env(), **proxies.for_images()}
        done = process.run(command, env, Limits(timeout_s, _GRACE_OF_FETCH_S), stop, capture=True)
        process.check_fetched(done)
        if done.exit_code != 0:
            raise FetchFailed(*words.why_not_fetched(done.stderr or done.stdout))

    def _env(self) -> Dict[str, str]:
        own = proxies.left_out(self._environment)
        directory = str(sandbox.make_directory(self._directory.parent, self._directory.name))
        return {"PATH": own.get("PATH", os.defpath), "HOME": directory, "UDOCKER_DIR": f"{directory}/udocker"}


def pull_command(image: str) -> List[str]:
    """Fetch an image."""
    return ["udocker", "--quiet", "pull", image]


def load_command(archive: Path, name: str) -> List[str]:
    """Take the image out of what docker has saved."""
    return ["udocker", "--quiet", "load", "-i", str(archive), name]


def run_command(container: Container, name: str, env_file: str) -> List[str]:
    """Unpack the image and run it. name: of the container, which is removed in the end."""
    return [
        *("udocker", "--quiet", "run", "--rm", "--nobanner"),
        f"--name={name}",
        f"--user={os.getuid()}:{os.getgid()}",
        f"--volume={container.home}:/home/user",
        f"--volume={container.tmp}:/tmp",
        *(f"--volume={source}:{target}" for source, target in container.mounts),
        f"--workdir={container.workdir}",
        f"--env-file={env_file}",
        *one_by_one(container.env),
        *([f"--entrypoint={container.command[0]}"] if container.command else []),
        container.image,
        *container.command[1:],
    ]
