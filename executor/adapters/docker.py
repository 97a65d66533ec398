"""Containers by the command line of docker or podman, where an administrator lets jobs use it themselves.

A container is created, started and looked at by three commands, because only the last one tells the facts: the
exit code, whether memory ran out, and why it could not be started. On the workers of a pool jobs have no such
right, and `broker` is used instead.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Iterator, List, Mapping, Sequence, Tuple

from prominence.core.plan import RegistryCredential
from prominence.executor import beside, cgroups, diskuse, keeper, process, sandbox, words
from prominence.executor.adapters.envfile import environment_file, one_by_one
from prominence.executor.adapters.private import PrivateImages, logged_in
from prominence.executor.ports import (
    Cause,
    Container,
    Ended,
    FetchFailed,
    Limits,
    NotRunning,
    OutOfTime,
    Output,
    RuntimeFailed,
    RuntimeUnavailable,
    Stop,
    Used,
)
from prominence.executor.usage import Usage

if TYPE_CHECKING:
    from prominence.executor.imagefiles import ImageFile

_SHORT = Limits(timeout_s=120, grace_s=1)
_GRACE_OF_FETCH_S = 10
_PIDS = 4096
_REMOVAL_S = 60.0
_AT_ONCE = 5
"""How often an image is fetched anew that another job has put away in the same moment."""
_NO_STOP = Stop()
_STATE_AND_IMAGE = '{"state": {{json .State}}, "image": {{json .Image}}}'


class DockerCommand:
    """ContainerRuntime. program: "docker" or "podman". network: "none", or any that the program knows."""

    def __init__(self, program: str, network: str, environment: Mapping[str, str]) -> None:
        self._program = program
        self._network = network if network == "none" else "bridge"
        self._env = {"PATH": os.defpath, **environment}
        self._running = ""
        self._followed: cgroups.Followed | None = None
        self._watch: diskuse.Watch | None = None
        self._private = PrivateImages(self._ask)

    @property
    def name(self) -> str:
        return self._program

    def version(self) -> str:
        if shutil.which(self._program) is None:
            raise RuntimeUnavailable(f"{self._program} is not installed")
        field = "{{.Server.Version}}" if self._program == "docker" else "{{.Client.Version}}"
        try:
            return self._ask("version", "--format", field).strip()
        except RuntimeFailed as error:
            raise RuntimeUnavailable(str(error)) from error

    def has(self, image: str, credential: RegistryCredential | None = None) -> bool:
        name = reference(self._program, image)
        return self._private.holds(name) or (credential is None and self._private.is_here(name))

    def fetch(
        self, image: str, timeout_s: float | None, stop: Stop, credential: RegistryCredential | None = None
    ) -> None:
        name = reference(self._program, image)
        if credential is None:
            self._pull(name, self._env, timeout_s, stop, None)
            return
        for _ in range(_AT_ONCE):
            with logged_in(name, credential) as more:
                self._pull(name, {**self._env, **more}, timeout_s, stop, credential)
            if self._private.keep(name):
                return
        raise FetchFailed("the image does not stay")

    def _pull(
        self,
        name: str,
        env: Mapping[str, str],
        timeout_s: float | None,
        stop: Stop,
        credential: RegistryCredential | None,
    ) -> None:
        command = [self._program, "pull", "--quiet", name]
        done = process.run(command, env, Limits(timeout_s, _GRACE_OF_FETCH_S), stop, capture=True)
        process.check_fetched(done)
        if done.exit_code != 0:
            raise FetchFailed(*words.why_not_fetched(done.stderr, credential))

    def load(self, file: ImageFile, timeout_s: float | None, stop: Stop) -> str:
        # What an engine has loaded stays in it under the names that the file brings, for all of the worker's jobs.
        raise FetchFailed(f"images that are files are not given to the command {self._program}")

    def run(self, container: Container, limits: Limits, stop: Stop) -> Ended:
        seen = [container.home, container.tmp, *(source for source, _ in container.mounts)]
        with self._created(container) as (name, known_as):
            self._running = name
            try:
                # The client's death does not reach the container, nor a signal for certain: `kill` and its removal do.
                command = [self._program, "start", "--attach", name]
                with diskuse.watched(seen, container.disk_kib) as watch, cgroups.followed(known_as) as followed:
                    self._watch, self._followed = watch, followed
                    done = process.run(command, self._env, limits, stop, disk=watch, warn=lambda: self._warn(name))
                seen_of_it = json.loads(self._ask("inspect", "--format", _STATE_AND_IMAGE, name))
            finally:
                self._running, self._watch, self._followed = "", None, None
        as_it_ended = ended(container, done, seen_of_it["state"], followed.end())
        return as_it_ended._replace(image_digest=self._digest(seen_of_it["image"]))

    def _digest(self, known_as: str) -> str | None:
        """The registry's digest of the image with this id, or the id where it has come from none."""
        with suppress(RuntimeFailed):  # it has been removed meanwhile
            digests = json.loads(self._ask("image", "inspect", "--format", "{{json .RepoDigests}}", known_as))
            return str((digests or [known_as])[0]).rpartition("@")[2]
        return None

    def accompany(
        self, container: Container, output: Output, limits: Limits, stop: Stop, started: Callable[[], None]
    ) -> Ended:
        name, _ = self._create(container, "--rm")
        start, warn = [self._program, "start", "--attach", name], [self._program, "kill", "--signal", "TERM", name]
        kept = keeper.Kept(start, self._env, output, limits.grace_s, warn=warn)
        cause, code = kept.wait(stop, started)
        if cause is Cause.STOPPED:
            # Not by `_ask`, which would take what another thread has started for what it has left behind itself.
            with open(os.devnull, "wb") as nowhere, suppress(OutOfTime):
                beside.run([self._program, "rm", "--force", "--volumes", name], self._env, nowhere.fileno(), _REMOVAL_S)
        return Ended(cause, code)

    @contextmanager
    def _created(self, container: Container) -> Iterator[Tuple[str, str]]:
        """The name and the id of the container, which is removed in the end."""
        name, known_as = self._create(container)
        try:
            yield name, known_as
        finally:
            self._ask("rm", "--force", "--volumes", name)

    def _create(self, container: Container, *options: str) -> Tuple[str, str]:
        for directory in (container.home, container.tmp, *(source for source, _ in container.mounts)):
            sandbox.check(Path(directory))
        name = f"prominence-task-{uuid.uuid4().hex}"
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="") as env_file:
            env_file.write(environment_file(container.env))
            env_file.flush()
            known = container._replace(image=self._private.name_of(reference(self._program, container.image)))
            command, *arguments = create_arguments(self._program, known, name, env_file.name, self._network)
            said = self._ask(command, *options, *arguments)
        return name, words.last_line(said)

    def enter(self, command: Sequence[str], output: int, limit_s: float) -> int:
        name = self._running
        if not name:
            raise NotRunning("no container is running")
        return beside.run([self._program, "exec", name, *command], self._env, output, limit_s)

    def usage(self) -> Used:
        followed, watch = self._followed, self._watch
        if followed is None:
            raise NotRunning("no container is running")
        used = followed.now()
        disk_kib = None if watch is None else watch.seen_kib
        return Used(disk_kib=disk_kib) if used is None else Used(round(used.cpu_s, 3), used.memory_kib, disk_kib)

    def _warn(self, container: str) -> None:
        with suppress(RuntimeFailed):  # it may have ended just now
            self._ask("kill", "--signal", "TERM", container)

    def _ask(self, *arguments: str) -> str:
        done = process.run([self._program, *arguments], self._env, _SHORT, _NO_STOP, capture=True)
        if done.exit_code != 0 or done.cause is not Cause.EXITED:
            said = words.last_line(done.stderr) or f"exit code {done.exit_code}"
            raise RuntimeFailed(f"{self._program} {arguments[0]}: {said}")
        return done.stdout


def create_arguments(program: str, container: Container, name: str, env_file: str, network: str) -> List[str]:
    """The command that makes the container, without the program."""
    memory = f"{container.memory_mib}m"
    return [
        "create",
        "--name",
        name,
        "--label",
        "prominence.role=task",
        "--init",
        "--network",
        network,
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--pids-limit",
        str(_PIDS),
        "--memory",
        memory,
        "--memory-swap",
        memory,
        "--cpus",
        str(min(container.cpus, os.cpu_count() or 1)),
        "--user",
        f"{os.getuid()}:{os.getgid()}",
        # Rootless podman maps its user to root unless told to keep the number.
        *(["--userns", "keep-id"] if program == "podman" and os.getuid() else []),
        "--mount",
        f"type=bind,source={container.home},target=/home/user",
        "--mount",
        f"type=bind,source={container.tmp},target=/tmp",
        *(word for one in container.mounts for word in ("--mount", f"type=bind,source={one[0]},target={one[1]}")),
        "--workdir",
        container.workdir,
        "--env-file",
        env_file,
        *one_by_one(container.env),
        *(["--entrypoint", container.command[0]] if container.command else []),
        reference(program, container.image),
        *container.command[1:],
    ]


def ended(
    container: Container, done: process.Finished, state: Mapping[str, object], used: Usage | None = None
) -> Ended:
    """What became of it, from what the engine knows of its state. used: None where nobody knows."""
    error, exit_code = str(state.get("Error") or ""), int(str(state.get("ExitCode", 0)))
    if state.get("Status") == "created" and not error:
        error = words.last_line(done.stderr) or "the container was not started"
    if state.get("Running"):
        exit_code = 128 + signal.SIGKILL  # its client was killed, and the removal that follows kills it
    cause, detail = done.cause, ""
    if cause is Cause.EXITED and (error or exit_code in (words.NOT_FOUND, words.NOT_EXECUTABLE)):
        program = container.command[0] if container.command else ""
        why, detail = words.why_not_started(program, container.workdir, error or done.stderr)
        if why:
            return Ended(cause=Cause.NOT_STARTED, exit_code=why, detail=detail)
        if error:
            raise RuntimeFailed(words.last_line(error))
    if cause is Cause.EXITED and exit_code != 0 and state.get("OOMKilled"):
        cause = Cause.OUT_OF_MEMORY
    return Ended(
        cause=cause,
        exit_code=exit_code,
        cpu_s=None if used is None else round(used.cpu_s, 3),
        max_rss_kib=None if used is None else used.peak_kib,
        used_kib=done.used_kib,
    )


def reference(program: str, image: str) -> str:
    """The image's name as this program wants it: podman does not take Docker Hub for granted."""
    name = image[len("docker://") :] if image.startswith("docker://") else image
    host, slash, _ = name.partition("/")
    if program != "podman" or (slash and ("." in host or ":" in host or host == "localhost")):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"
