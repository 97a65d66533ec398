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
from typing import TYPE_CHECKING, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from prominence.core.plan import RegistryCredential
from prominence.executor import beside, diskuse, entering, keeper, process, proctree, proxies, sandbox, words
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
    from prominence.executor.adapters.workerimages import WorkerImages
    from prominence.executor.imagefiles import ImageFile

_SILENT = ["apptainer", "--silent"]  # only its last words, as its stderr is the task's
_OWN_EXIT_CODE = 255
_SHORT = Limits(timeout_s=30, grace_s=1)
_GRACE_OF_FETCH_S = 10
_NEEDED_BY_IMAGES = ("dev", "proc", "sys", "tmp", "var/tmp", "etc", "home", "root")
_INJECTING = ("APPTAINERENV_", "SINGULARITYENV_")
_SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Apptainer:
    """ContainerRuntime. directory: where images are kept for this job. network: "none", or the worker's own.

    kept: the images that the worker keeps for all jobs; None: it keeps none.
    """

    name = "apptainer"

    def __init__(
        self, directory: Path, network: str, environment: Mapping[str, str], kept: WorkerImages | None = None
    ) -> None:
        self._directory = directory
        self._network = network
        self._environment = environment
        self._runs = 0
        self._loaded: Dict[str, Path] = {}
        self._watch: Optional[diskuse.Watch] = None
        self._keepers: Set[int] = set()
        self._kept = kept
        self._digests: Dict[str, str] = {}

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

    def has(self, image: str, credential: RegistryCredential | None = None) -> bool:
        return self._file(image).is_file()  # among this job's own, in any case

    def fetch(
        self, image: str, timeout_s: float | None, stop: Stop, credential: RegistryCredential | None = None
    ) -> None:
        through = proxies.for_images()
        if credential is None and self._kept is not None:
            kept = self._kept.fetch(image, through, timeout_s, stop)
            if kept is not None:
                self._loaded[image], self._digests[image] = kept
                return
        self._make_directories()
        partial = self._file(image).with_suffix(".part")
        limits = Limits(timeout_s, _GRACE_OF_FETCH_S)
        env = {**self._env(), **through, **login(credential)}
        done = process.run(pull_command(image, partial), env, limits, stop, capture=True)
        process.check_fetched(done)
        if done.exit_code != 0:
            raise FetchFailed(*words.why_not_fetched(proxies.hidden(done.stderr, through), credential))
        partial.rename(self._file(image))

    def load(self, file: ImageFile, timeout_s: float | None, stop: Stop) -> str:
        self._make_directories()
        name = f"file {len(self._loaded)}"  # as nothing in a registry is called
        image = file.path if file.saved is None else file.beside.with_suffix(".sif")
        made = None if file.saved is None or self._kept is None else self._kept.made(file.sha256, timeout_s, stop)
        if made is not None:
            image = made
        elif file.saved is not None:
            limits = Limits(timeout_s, _GRACE_OF_FETCH_S)
            done = process.run(build_command(file.path, image), self._env(), limits, stop, capture=True)
            process.check_fetched(done, late="Apptainer takes too long with it")
            if done.exit_code != 0:
                raise FetchFailed(words.why_not_loaded(done.stderr))
        self._loaded[name] = image
        return name

    def run(self, container: Container, limits: Limits, stop: Stop) -> Ended:
        shared = self._prepare(container)
        kept = [] if container.storage is None else [container.storage.kept]
        with diskuse.watched(
            [container.home, container.tmp, shared, *kept, *(source for source, _ in container.mounts)],
            container.disk_kib,
        ) as watch:
            self._watch = watch
            done = process.run(
                *self._command(container, shared),
                limits,
                stop,
                memory_mib=container.memory_mib,
                disk=watch,
            )
        if done.cause is Cause.EXITED and done.exit_code == _OWN_EXIT_CODE:
            ended = _its_own_failure(container, done)
        else:
            ended = done.ended()
        return ended._replace(image_digest=self._digests.get(container.image))

    def accompany(
        self, container: Container, output: Output, limits: Limits, stop: Stop, started: Callable[[], None]
    ) -> Ended:
        shared = self._prepare(container)
        kept = keeper.Kept(*self._command(container, shared), output, limits.grace_s, container.memory_mib)
        self._keepers.add(kept.pid)
        return Ended(*kept.wait(stop, started))._replace(image_digest=self._digests.get(container.image))

    def _prepare(self, container: Container) -> str:
        """A directory for its /dev/shm, when what is to be bound is what it was. Raises RuntimeFailed."""
        for directory in (container.home, container.tmp, *(source for source, _ in container.mounts)):
            sandbox.check(Path(directory))
        if container.storage is not None and not os.path.exists(f"/proc/{container.storage.holder}/ns/mnt"):
            raise RuntimeFailed("the job's storage is no longer mounted")
        self._runs += 1
        return str(sandbox.make_directory(self._make_directories(), f"shm-{self._runs}"))

    def _command(self, container: Container, shared: str) -> Tuple[List[str], Dict[str, str]]:
        command = run_command(container, self._file(container.image), shared, self._network)
        return command, {**self._env(), **container_environment(container.env)}

    def enter(self, command: Sequence[str], output: int, limit_s: float) -> int:
        tree = proctree.descendants(proctree.table(), os.getpid(), self._keepers)
        first = next((process for process in tree if process.init), None)
        program = next((process for process in tree if first is not None and process.parent == first.pid), None)
        if first is None or program is None:
            raise NotRunning("no container is running")
        return beside.run(
            [*entering.the_container(first.pid), *command], entering.environment_of(program.pid), output, limit_s
        )

    def usage(self) -> Used:
        tree = proctree.descendants(proctree.table(), os.getpid())
        if not any(one.init for one in tree):
            raise NotRunning("no container is running")
        return process.used(tree, self._watch)

    def _make_directories(self) -> Path:
        directory = sandbox.make_directory(self._directory.parent, self._directory.name)
        for name in ("cache", "tmp"):
            sandbox.make_directory(directory, name)
        return directory

    def _file(self, image: str) -> Path:
        if image in self._loaded:
            return self._loaded[image]
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


def build_command(archive: Path, file: Path) -> List[str]:
    """Make an image of what docker has saved."""
    return ["apptainer", "build", "--force", str(file), f"docker-archive:{archive}"]


def login(credential: RegistryCredential | None) -> Dict[str, str]:
    """The environment of a program that fetches with this credential: argument lists can be seen by everybody."""
    if credential is None:
        return {}
    return {"APPTAINER_DOCKER_USERNAME": credential.username, "APPTAINER_DOCKER_PASSWORD": credential.token}


def run_command(container: Container, file: Path, shared: str, network: str) -> List[str]:
    """Run a container from that file. shared: a directory for its /dev/shm.

    Apptainer's own /dev/shm is memory, as much as half of the machine's, which nobody's limits know of.
    """
    return [
        *([] if container.storage is None else entering.the_mounts(container.storage.holder)),
        *_SILENT,
        "exec" if container.command else "run",
        "--containall",
        "--no-privs",
        "--no-eval",  # neither the environment nor the image's command is given to a shell
        *(["--net", "--network", "none"] if network == "none" else []),
        *(["--nv"] if container.gpus else []),
        *(["--app", container.app] if container.app else []),
        "--home",
        f"{container.home}:/home/user",
        "--bind",
        f"{container.tmp}:/tmp",
        "--bind",
        f"{shared}:/dev/shm",
        *(word for source, target in _mounts(container) for word in ("--bind", f"{source}:{target}")),
        "--pwd",
        container.workdir,
        str(file),
        *container.command,
    ]


def _mounts(container: Container) -> Iterator[Tuple[str, str]]:
    yield from container.mounts
    if container.storage is not None:
        yield container.storage.source, container.storage.target


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
        return done.ended()
    program = container.command[0] if container.command else ""
    exit_code, detail = words.why_not_started(program, container.workdir, done.stderr)
    if not exit_code:
        raise RuntimeFailed(f"Apptainer: {failure}")
    return done.ended(detail)._replace(cause=Cause.NOT_STARTED, exit_code=exit_code)
