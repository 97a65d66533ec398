"""Docker containers through the worker's broker: the job's side of `executor.broker.protocol`."""

from __future__ import annotations

import json
import select
import signal
import socket
import time
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

from prominence.executor import words
from prominence.executor.broker import protocol
from prominence.executor.deadline import TICK_S, supervise
from prominence.executor.ports import (
    Cause,
    Container,
    Ended,
    FetchFailed,
    FetchTimedOut,
    Interrupted,
    Limits,
    NotRunning,
    OutOfTime,
    RuntimeFailed,
    RuntimeUnavailable,
    Stop,
    WorkerLost,
)
from prominence.executor.sandbox import Workspace

_ANSWER_S = 150.0  # beyond the broker's own patience with the engine
_RETRY_S = 0.2
_STDOUT, _STDERR = 1, 2


class Broker:
    """ContainerRuntime named docker, and the giver of the workspace that its containers see.

    One object is one session: when it goes, or this process does, the broker removes all of it.
    """

    name = "docker"

    def __init__(self, path: str, sandbox: Path, patience_s: float = 0.0) -> None:
        self._path = path
        self._sandbox = sandbox
        self._patience_s = patience_s
        self._socket: Optional[socket.socket] = None
        self._received = b""

    def version(self) -> str:
        self._connect()
        try:
            return str(self._ask("version")["version"])
        except (RuntimeFailed, WorkerLost) as error:
            raise RuntimeUnavailable(str(error)) from error

    def workspace(self, mounts: int = 0) -> Workspace:
        """Begin the session; its directories, with so many to be mounted. Raises RuntimeFailed."""
        answer = self._ask("session", sandbox=str(self._sandbox), mounts=mounts)
        return Workspace(Path(answer["home"]), Path(answer["tmp"]), tuple(map(Path, answer["mounts"])))

    def has(self, image: str) -> bool:
        return bool(self._ask("has", image=image)["has"])

    def fetch(self, image: str, timeout_s: float | None, stop: Stop) -> None:
        give_up_at = time.monotonic() + (float("inf") if timeout_s is None else timeout_s)
        self._send(protocol.line("pull", image=image))
        # Who gives up hangs up soon, and the broker with him.
        while (answer := self.receive(max(0.0, min(TICK_S, give_up_at - time.monotonic())))) is None:
            if stop.requested:
                raise Interrupted
            if time.monotonic() >= give_up_at:
                raise FetchTimedOut("the registry takes too long")
        _check_engine(answer)
        if not answer["ok"]:
            raise FetchFailed(words.why_not_fetched(answer["message"]))

    def run(self, container: Container, limits: Limits, stop: Stop) -> Ended:
        request = protocol.line(
            "run",
            image=container.image,
            command=container.command,
            env=dict(container.env),
            workdir=container.workdir,
            cpus=container.cpus,
            memory_mib=container.memory_mib,
            targets=[target for _, target in container.mounts],
        )
        running = _Running(self)
        self._send(request, _STDOUT, _STDERR)
        cause = supervise(running, limits, stop)
        return ended(container, cause, running.answer)

    def enter(self, command: Sequence[str], output: int, limit_s: float) -> int:
        # On a connection of its own: ours is waiting for the container's end.
        beside = Broker(self._path, self._sandbox)
        beside._connect()
        try:
            beside._send(protocol.line("enter", command=list(command)), output, output)
            answer = beside.receive(limit_s)
        finally:
            beside._connected().close()
        if answer is None:
            raise OutOfTime(f"it ran longer than {limit_s:g} s")
        if answer.get("error") == protocol.NOT_THERE:
            raise NotRunning(str(answer["message"]))
        _check_engine(answer)
        if not answer["ok"]:
            raise RuntimeFailed(str(answer["message"]))
        return int(answer["exit_code"] or 0)

    def signal(self, name: str) -> None:
        """Send a signal to the container that runs."""
        self._send(protocol.line("signal", name=name))

    def receive(self, timeout_s: float) -> Optional[Dict[str, Any]]:
        """The next answer, if it comes in time. Raises WorkerLost when the broker has hung up."""
        give_up_at = time.monotonic() + timeout_s
        while b"\n" not in self._received:
            left_s = max(0.0, give_up_at - time.monotonic())
            if not select.select([self._connected()], [], [], left_s)[0]:
                return None
            try:
                data = self._connected().recv(64 * 1024)
            except OSError as error:
                raise WorkerLost(f"the worker's broker does not answer: {error.strerror}") from error
            if not data:
                raise WorkerLost("the worker's broker has hung up")
            self._received += data
        text, _, self._received = self._received.partition(b"\n")
        answer: Dict[str, Any] = json.loads(text)
        return answer

    def _ask(self, verb: str, **fields: Any) -> Dict[str, Any]:
        self._send(protocol.line(verb, **fields))
        answer = self.receive(_ANSWER_S)
        if answer is None:
            raise WorkerLost("the worker's broker does not answer")
        _check_engine(answer)
        if not answer["ok"]:
            raise RuntimeFailed(str(answer["message"]))
        return answer

    def _send(self, line: bytes, *descriptors: int) -> None:
        connection = self._connected()
        try:
            sent = socket.send_fds(connection, [line], descriptors) if descriptors else 0
            connection.sendall(line[sent:])
        except OSError as error:
            raise WorkerLost(f"the worker's broker cannot be asked: {error.strerror}") from error

    def _connect(self) -> None:
        give_up_at = time.monotonic() + self._patience_s
        while self._socket is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(self._path)
                self._socket = connection
            except OSError as error:
                connection.close()
                if time.monotonic() >= give_up_at:
                    raise RuntimeUnavailable(f"there is no broker: {error.strerror}") from error
                time.sleep(_RETRY_S)

    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise RuntimeFailed("the worker's broker has not been reached")
        return self._socket


class _Running:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.answer: Dict[str, Any] = {}

    def wait(self, timeout_s: float) -> bool:
        self.answer = self._broker.receive(timeout_s) or {}
        return bool(self.answer)

    def warn(self) -> None:
        self._broker.signal("TERM")

    def kill(self) -> None:
        self._broker.signal("KILL")

    def exceeded(self) -> Optional[Cause]:
        return None  # the kernel sees to memory, the broker to disk


def ended(container: Container, cause: Cause, answer: Dict[str, Any]) -> Ended:
    """What became of a container, from the broker's answer. Raises RuntimeFailed, WorkerLost."""
    exit_code = int(answer.get("exit_code", 128 + signal.SIGKILL))
    digest = answer.get("image_digest")
    if cause is not Cause.EXITED:
        return Ended(cause=cause, exit_code=exit_code, image_digest=digest)
    _check_engine(answer)
    said = str(answer["message"] if not answer["ok"] else answer["last_words"])
    if not answer["ok"] or exit_code in (words.NOT_FOUND, words.NOT_EXECUTABLE):
        program = container.command[0] if container.command else ""
        why, detail = words.why_not_started(program, container.workdir, said)
        if why:
            return Ended(cause=Cause.NOT_STARTED, exit_code=why, detail=detail, image_digest=digest)
        if not answer["ok"]:
            raise RuntimeFailed(words.last_line(said))
    if answer.get("disk"):
        return Ended(cause=Cause.OUT_OF_DISK, exit_code=exit_code, image_digest=digest)
    if answer.get("cut"):
        raise WorkerLost("the worker's disk is full, and what the task wrote was lost")
    if exit_code != 0 and answer["oom"]:
        return Ended(cause=Cause.OUT_OF_MEMORY, exit_code=exit_code, image_digest=digest)
    return Ended(cause=Cause.EXITED, exit_code=exit_code, image_digest=digest)


def _check_engine(answer: Dict[str, Any]) -> None:
    """Raises WorkerLost when the answer is that there is no engine to ask any more."""
    if answer.get("error") == protocol.UNAVAILABLE:
        raise WorkerLost(str(answer["message"]))
