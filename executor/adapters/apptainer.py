"""Containers by Apptainer, as the slot's own user.

Apptainer gives a container its own pid, ipc and mount namespaces (--containall) and no network unless the worker
says otherwise. In a worker that is a container itself this needs /dev/fuse for everybody and, mounted anywhere, a
/proc without masks: without it the kernel refuses the pid namespace's own /proc.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Dict, List, Mapping, Sequence

from prominence.executor import beside, diskuse, process, proctree, proxies, sandbox, words
from prominence.executor.ports import (
    Cause,
    Container,
    Ended,
    FetchFailed,
    FetchTimedOut,
    Interrupted,
    Limits,
    NotRunning,
    RuntimeFailed,
    RuntimeUnavailable,
    Stop,
)

_SILENT = ["apptainer", "--silent"]  # only its last words, as its stderr is the task's
_OWN_EXIT_CODE = 255
_SHORT = Limits(timeout_s=30, grace_s=1)
_GRACE_OF_FETCH_S = 10
_NEEDED_BY_IMAGES = ("dev", "proc", "sys", "tmp", "var/tmp", "etc", "home", "root")
_INJECTING = ("APPTAINERENV_", "SINGULARITYENV_")
_NAMESPACES = {"user": "--user", "mnt": "--mount", "pid": "--pid", "ipc": "--ipc", "net": "--net"}
_SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Apptainer:
    """ContainerRuntime. directory: where images are kept for this job. network: "none", or the worker's own."""

    name = "apptainer"

    def __init__(self, directory: Path, network: str, environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._network = network
        self._environment = environment
        self._runs = 0

    def version(self) -> str:
        try:
            done = process.run(["apptainer", "version"], self._env(), _SHORT, Stop(), capture=True)
        except RuntimeFailed as error:
            raise RuntimeUnavailable(str(error)) from error
        if done.exit_code != 0:
            raise RuntimeUnavailable(words.last_line(done.stderr) or "apptainer does not work")
        return done.stdout.strip()

    def can_run(self) -> bool:
        """Whether it works here with all that isolates a container, tried on an image that holds nothing."""
        import tempfile  # a job need not wait for it

        with tempfile.TemporaryDirectory(prefix="prominence-") as scratch:
            trial = Apptainer(Path(scratch) / "trial", self._network, self._environment)
            try:
                return trial._reaches_the_command(sandbox.make_workspace(Path(scratch)))
            except RuntimeFailed:
                return False

    def _reaches_the_command(self, workspace: sandbox.Workspace) -> bool:
        directory = self._make_directories()
        empty, shared = directory / "empty", sandbox.make_directory(directory, "shm")
        for name in _NEEDED_BY_IMAGES:
            (empty / name).mkdir(parents=True)
        file = self._file("empty")
        build = ["apptainer", "--silent", "build", str(file), str(empty)]
        process.run(build, self._env(), _SHORT, Stop(), capture=True)
        container = Container("empty", ("/nothing",), {}, "/", str(workspace.home), str(workspace.tmp), 1, 100)
        command = run_command(container, file, str(shared), self._network)
        done = process.run(command, self._env(), _SHORT, Stop(), capture=True)
        return words.why_not_started("/nothing", "/", done.stderr)[0] == words.NOT_FOUND

    def has(self, image: str) -> bool:
        return self._file(image).is_file()

    def fetch(self, image: str, timeout_s: float | None, stop: Stop) -> None:
        self._make_directories()
        partial = self._file(image).with_suffix(".part")
        through = self._proxies()
        limits = Limits(timeout_s, _GRACE_OF_FETCH_S)
        done = process.run(pull_command(image, partial), {**self._env(), **through}, limits, stop, capture=True)
        if done.cause is Cause.STOPPED:
            raise Interrupted
        if done.cause is Cause.OUT_OF_TIME:
            raise FetchTimedOut("the registry takes too long")
        if done.exit_code != 0:
            raise FetchFailed(words.why_not_fetched(proxies.hidden(done.stderr, through)))
        partial.rename(self._file(image))

    def run(self, container: Container, limits: Limits, stop: Stop) -> Ended:
        sandbox.check(Path(container.home))
        sandbox.check(Path(container.tmp))
        for source, _ in container.mounts:
            sandbox.check(Path(source))
        self._runs += 1
        shared = str(sandbox.make_directory(self._make_directories(), f"shm-{self._runs}"))
        with diskuse.watched(
            [container.home, container.tmp, shared, *(source for source, _ in container.mounts)], container.disk_kib
        ) as watch:
            done = process.run(
                run_command(container, self._file(container.image), shared, self._network),
                {**self._env(), **container_environment(container.env)},
                limits,
                stop,
                memory_mib=container.memory_mib,
                disk=watch,
            )
        if done.cause is Cause.EXITED and done.exit_code == _OWN_EXIT_CODE:
            return _its_own_failure(container, done)
        return _ended(done.cause, done.exit_code, done)

    def enter(self, command: Sequence[str], output: int, limit_s: float) -> int:
        tree = proctree.descendants(proctree.table(), os.getpid())
        first = next((process for process in tree if process.init), None)
        program = next((process for process in tree if first is not None and process.parent == first.pid), None)
        if first is None or program is None:
            raise NotRunning("no container is running")
        return beside.run([*_enter_command(first.pid), *command], _environment_of(program.pid), output, limit_s)

    def _proxies(self) -> Dict[str, str]:
        try:
            return proxies.variables()
        except (OSError, ValueError) as error:
            raise FetchFailed("the worker's list of proxies cannot be read") from error

    def _make_directories(self) -> Path:
        directory = sandbox.make_directory(self._directory.parent, self._directory.name)
        for name in ("cache", "tmp"):
            sandbox.make_directory(directory, name)
        return directory

    def _file(self, image: str) -> Path:
        return self._directory / f"{hashlib.sha256(image.encode()).hexdigest()[:32]}.sif"

    def _env(self) -> Dict[str, str]:
        own = proxies.left_out(self._environment)
        own = {name: value for name, value in own.items() if not name.startswith(_INJECTING)}
        directory = str(self._directory)
        return {
            **own,
            "PATH": own.get("PATH", os.defpath),
            "HOME": directory,
            "APPTAINER_CACHEDIR": f"{directory}/cache",
            "APPTAINER_TMPDIR": f"{directory}/tmp",
        }


def pull_command(image: str, file: Path) -> List[str]:
    """Fetch an image into a file."""
    name = image[len("docker://") :] if image.startswith("docker://") else image
    return ["apptainer", "pull", "--force", "--disable-cache", str(file), f"docker://{name}"]


def run_command(container: Container, file: Path, shared: str, network: str) -> List[str]:
    """Run a container from that file. shared: a directory for its /dev/shm.

    Apptainer's own /dev/shm is memory, as much as half of the machine's, which nobody's limits know of.
    """
    return [
        *_SILENT,
        "exec" if container.command else "run",
        "--containall",
        "--no-privs",
        "--no-eval",  # neither the environment nor the image's command is given to a shell
        *(["--net", "--network", "none"] if network == "none" else []),
        *(["--nv"] if container.gpus else []),
        "--home",
        f"{container.home}:/home/user",
        "--bind",
        f"{container.tmp}:/tmp",
        "--bind",
        f"{shared}:/dev/shm",
        *(word for source, target in container.mounts for word in ("--bind", f"{source}:{target}")),
        "--pwd",
        container.workdir,
        str(file),
        *container.command,
    ]


def _enter_command(pid: int) -> List[str]:
    """What runs a command in the namespaces of a process, as its user with no more privileges. Raises NotRunning."""
    try:
        # One that is ours as well cannot be entered, for it is another's.
        inner = [
            name
            for name in _NAMESPACES
            if os.readlink(f"/proc/{pid}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}")
        ]
    except OSError as error:
        raise NotRunning("the task has ended") from error
    return [
        *("setpriv", "--no-new-privs"),
        *("nsenter", "--preserve-credentials", f"--target={pid}", "--root", "--wd"),
        *(_NAMESPACES[name] for name in inner),
        "--",
    ]


def _environment_of(pid: int) -> Dict[str, str]:
    """Raises NotRunning."""
    try:
        content = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError as error:
        raise NotRunning("the task has ended") from error
    pairs = (entry.partition("=") for entry in os.fsdecode(content).split("\0") if "=" in entry)
    return {name: value for name, _, value in pairs}


def container_environment(env: Mapping[str, str]) -> Dict[str, str]:
    """The task's environment for Apptainer's own, so that it is in no argument list. Raises RuntimeFailed."""
    for name in env:
        if not _SHELL_NAME.fullmatch(name):
            raise RuntimeFailed(f'Apptainer cannot pass the environment variable "{name}"; use letters, digits and _')
    # HOME is set by --home, and Apptainer refuses it here.
    return {f"APPTAINERENV_{name}": value for name, value in env.items() if name != "HOME"}


def _its_own_failure(container: Container, done: process.Finished) -> Ended:
    """Apptainer's exit code for its own failures may also be the command's."""
    failure = words.apptainers_own_failure(done.stderr)
    if not failure:
        return _ended(Cause.EXITED, done.exit_code, done)
    program = container.command[0] if container.command else ""
    exit_code, detail = words.why_not_started(program, container.workdir, done.stderr)
    if not exit_code:
        raise RuntimeFailed(f"Apptainer: {failure}")
    return _ended(Cause.NOT_STARTED, exit_code, done, detail)


def _ended(cause: Cause, exit_code: int, done: process.Finished, detail: str = "") -> Ended:
    return Ended(
        cause=cause,
        exit_code=exit_code,
        signal=done.signal,
        detail=detail,
        cpu_s=round(done.cpu_s, 3),
        max_rss_kib=done.max_rss_kib,
    )
