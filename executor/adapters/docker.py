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
from contextlib import suppress
from pathlib import Path
from typing import List, Mapping, Sequence

from prominence.executor import beside, diskuse, process, sandbox, words
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

_SHORT = Limits(timeout_s=120, grace_s=1)
_GRACE_OF_FETCH_S = 10
_PIDS = 4096
_NO_STOP = Stop()


class DockerCommand:
    """ContainerRuntime. program: "docker" or "podman". network: "none", or any that the program knows."""

    def __init__(self, program: str, network: str, environment: Mapping[str, str]) -> None:
        self._program = program
        self._network = network if network == "none" else "bridge"
        self._env = {"PATH": os.defpath, **environment}
        self._running = ""

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

    def has(self, image: str) -> bool:
        command = [self._program, "image", "inspect", reference(self._program, image)]
        return process.run(command, self._env, _SHORT, _NO_STOP, capture=True).exit_code == 0

    def fetch(self, image: str, timeout_s: float | None, stop: Stop) -> None:
        command = [self._program, "pull", "--quiet", reference(self._program, image)]
        done = process.run(command, self._env, Limits(timeout_s, _GRACE_OF_FETCH_S), stop, capture=True)
        if done.cause is Cause.STOPPED:
            raise Interrupted
        if done.cause is Cause.OUT_OF_TIME:
            raise FetchTimedOut("the registry takes too long")
        if done.exit_code != 0:
            raise FetchFailed(words.why_not_fetched(done.stderr))

    def run(self, container: Container, limits: Limits, stop: Stop) -> Ended:
        sandbox.check(Path(container.home))
        sandbox.check(Path(container.tmp))
        for source, _ in container.mounts:
            sandbox.check(Path(source))
        name = f"prominence-task-{uuid.uuid4().hex}"
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="") as env_file:
            env_file.write(environment_file(container.env))
            env_file.flush()
            self._ask(*create_arguments(self._program, container, name, env_file.name, self._network))
        self._running = name
        try:
            # The client's death does not reach the container, nor a signal for certain: `kill` does, and the removal.
            command = [self._program, "start", "--attach", name]
            with diskuse.watched(
                [container.home, container.tmp, *(source for source, _ in container.mounts)], container.disk_kib
            ) as watch:
                done = process.run(command, self._env, limits, stop, disk=watch, warn=lambda: self._warn(name))
            state = json.loads(self._ask("inspect", "--format", "{{json .State}}", name))
        finally:
            self._running = ""
            self._ask("rm", "--force", "--volumes", name)
        return ended(container, done, state)

    def enter(self, command: Sequence[str], output: int, limit_s: float) -> int:
        name = self._running
        if not name:
            raise NotRunning("no container is running")
        return beside.run([self._program, "exec", name, *command], self._env, output, limit_s)

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
        *_one_by_one(container.env),
        *(["--entrypoint", container.command[0]] if container.command else []),
        reference(program, container.image),
        *container.command[1:],
    ]


def environment_file(env: Mapping[str, str]) -> str:
    """What can be said in a file: NAME=VALUE to the end of the line, nothing quoted."""
    return "".join(f"{name}={value}\n" for name, value in env.items() if _fits_a_line(name, value))


def _one_by_one(env: Mapping[str, str]) -> List[str]:
    # Not through the client's own environment, where DOCKER_HOST or LD_PRELOAD would mean something to it.
    return [f"--env={name}={value}" for name, value in env.items() if not _fits_a_line(name, value)]


def _fits_a_line(name: str, value: str) -> bool:
    line = f"{name}={value}"
    return line.splitlines() == [line] and not name.startswith("#") and not any(map(str.isspace, name))


def ended(container: Container, done: process.Finished, state: Mapping[str, object]) -> Ended:
    """What became of it, from what the engine knows of its state."""
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
    return Ended(cause=cause, exit_code=exit_code)


def reference(program: str, image: str) -> str:
    """The image's name as this program wants it: podman does not take Docker Hub for granted."""
    name = image[len("docker://") :] if image.startswith("docker://") else image
    host, slash, _ = name.partition("/")
    if program != "podman" or (slash and ("." in host or ":" in host or host == "localhost")):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"
