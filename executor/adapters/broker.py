"""Docker containers through the worker's broker: the job's side of `executor.broker.protocol`."""

from __future__ import annotations

import json
import select
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, NamedTuple, Optional, Sequence

from prominence.core.plan import RegistryCredential
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
    Output,
    RuntimeFailed,
    RuntimeUnavailable,
    Stop,
    Used,
    WorkerLost,
)
from prominence.executor.sandbox import Workspace

if TYPE_CHECKING:
    from prominence.executor.imagefiles import ImageFile

_ANSWER_S = 150.0  # beyond the broker's own patience with the engine
_RETRY_S = 0.2
_STDOUT, _STDERR = 1, 2


class WebFile(NamedTuple):
    """A file that the worker keeps; the rest is as in `broker.requests.File`."""

    path: Path
    sha256: str
    tag: str
    fresh: bool


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
        return str(self._told()["version"])

    def lets_nodes_meet(self) -> bool:
        """Whether its containers can reach those of a job's other nodes. Raises RuntimeUnavailable."""
        return bool(self._told()["between_nodes"])

    def _told(self) -> Dict[str, Any]:
        self._connect()
        try:
            return self._ask("version")
        except (RuntimeFailed, WorkerLost) as error:
            raise RuntimeUnavailable(str(error)) from error

    def workspace(self, mounts: int = 0, beside: int = 0) -> Workspace:
        """Begin the session; its directories, with so many to be mounted. Raises RuntimeFailed.

        beside: how many containers are to accompany the task's.
        """
        more = {"beside": beside} if beside else {}
        answer = self._ask("session", sandbox=str(self._sandbox), mounts=mounts, **more)
        return Workspace(Path(answer["home"]), Path(answer["tmp"]), tuple(map(Path, answer["mounts"])))

    def has(self, image: str, credential: RegistryCredential | None = None) -> bool:
        return bool(self._ask("has", image=image, **({} if credential is None else {"private": True}))["has"])

    def fetch(
        self, image: str, timeout_s: float | None, stop: Stop, credential: RegistryCredential | None = None
    ) -> None:
        shown = {} if credential is None else credential._asdict()
        self._send(protocol.line("pull", image=image, **shown))
        answer = self._answer_in_time(timeout_s, stop, "the registry takes too long")
        if not answer["ok"]:
            raise FetchFailed(*words.why_not_fetched(answer["message"], credential))

    def image_file(self, image: str, timeout_s: float | None, stop: Stop) -> Optional[Path]:
        """The image of this name and digest as a file, there as long as this object is; None: the worker keeps none.

        Raises RuntimeUnavailable, FetchTimedOut, FetchFailed, Interrupted, WorkerLost.
        """
        self._connect()
        self._send(protocol.line("image", image=image))
        answer = self._answer_in_time(timeout_s, stop, "the registry takes too long")
        if answer["ok"]:
            return Path(answer["path"])
        if answer["error"] in (protocol.KEEPS_NONE, "refused"):
            return None
        raise FetchFailed(*words.why_not_fetched(answer["message"]))

    def web_file(self, url: str, sha256: str, stale: str, timeout_s: float | None, stop: Stop) -> Optional[WebFile]:
        """A file that holds an image, there as long as this object is; None: it cannot be had in this way.

        See `broker.requests.File`. Raises RuntimeUnavailable, FetchTimedOut, Interrupted, WorkerLost.
        """
        self._connect()
        self._send(protocol.line("file", url=url, sha256=sha256, stale=stale))
        answer = self._answer_in_time(timeout_s, stop, "the file takes too long")
        if not answer["ok"]:
            return None
        return WebFile(Path(answer["path"]), str(answer["sha256"]), str(answer["tag"]), bool(answer["fresh"]))

    def made_file(self, sha256: str, timeout_s: float | None, stop: Stop) -> Optional[Path]:
        """What Apptainer makes of a file that the worker keeps; the same holds."""
        self._connect()
        self._send(protocol.line("made", sha256=sha256))
        answer = self._answer_in_time(timeout_s, stop, "Apptainer takes too long with it")
        return Path(answer["path"]) if answer["ok"] else None

    def load(self, file: ImageFile, timeout_s: float | None, stop: Stop) -> str:
        saved = file.saved
        if saved is None:
            raise FetchFailed("Docker does not run Apptainer's images")
        request = protocol.line(
            "load",
            layers=[layer._asdict() for layer in saved.layers],
            program=saved.program,
            arguments=saved.arguments,
            env=saved.env,
            architecture=saved.architecture,
        )
        with open(saved.file, "rb") as opened:
            self._send(request, opened.fileno())
        answer = self._answer_in_time(timeout_s, stop, "the engine takes too long with it")
        if not answer["ok"]:
            said = str(answer["message"])
            raise FetchFailed(said if answer["error"] == "refused" else words.why_not_loaded(said))
        return str(answer["image"])

    def _answer_in_time(self, timeout_s: float | None, stop: Stop, too_long: str) -> Dict[str, Any]:
        """The answer. Raises Interrupted, FetchTimedOut, WorkerLost."""
        give_up_at = time.monotonic() + (float("inf") if timeout_s is None else timeout_s)
        # Who gives up hangs up soon, and the broker with him.
        while (answer := self.receive(max(0.0, min(TICK_S, give_up_at - time.monotonic())))) is None:
            if stop.requested:
                raise Interrupted
            if time.monotonic() >= give_up_at:
                raise FetchTimedOut(too_long)
        _check_engine(answer)
        return answer

    def run(self, container: Container, limits: Limits, stop: Stop) -> Ended:
        running = _Running(self)
        self._send(_request("run", container), _STDOUT, _STDERR)
        cause = supervise(running, limits, stop)
        return ended(container, cause, running.answer)

    def accompany(
        self, container: Container, output: Output, limits: Limits, stop: Stop, started: Callable[[], None]
    ) -> Ended:
        beside = Broker(self._path, self._sandbox)  # ours waits for the task's container
        beside._connect()
        try:
            running = _Running(beside, started)
            beside._send(_request("beside", container), *output)
            return ended(container, supervise(running, limits, stop), running.answer)
        finally:
            beside._connected().close()

    def enter(self, command: Sequence[str], output: int, limit_s: float) -> int:
        answer = self._ask_beside(protocol.line("enter", command=list(command)), limit_s, output, output)
        if answer is None:
            raise OutOfTime(f"it ran longer than {limit_s:g} s")
        return int(answer["exit_code"] or 0)

    def usage(self) -> Used:
        answer = self._ask_beside(protocol.line("usage"), _ANSWER_S)
        if answer is None:
            raise WorkerLost("the worker's broker does not answer")
        return Used(answer["cpu_s"], answer["memory_kib"], answer["disk_kib"])

    def _ask_beside(self, line: bytes, limit_s: float, *descriptors: int) -> Optional[Dict[str, Any]]:
        """Of the container that runs, on a connection of its own: ours is waiting for the container's end."""
        beside = Broker(self._path, self._sandbox)
        beside._connect()
        try:
            beside._send(line, *descriptors)
            answer = beside.receive(limit_s)
        finally:
            beside._connected().close()
        if answer is None:
            return None
        if answer.get("error") == protocol.NOT_THERE:
            raise NotRunning(str(answer["message"]))
        _check_engine(answer)
        if not answer["ok"]:
            raise RuntimeFailed(str(answer["message"]))
        return answer

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


def _request(verb: str, container: Container) -> bytes:
    return protocol.line(
        verb,
        image=container.image,
        command=container.command,
        env=dict(container.env),
        workdir=container.workdir,
        cpus=container.cpus,
        memory_mib=container.memory_mib,
        targets=[target for _, target in container.mounts],
        **({"between_nodes": True} if container.between_nodes else {}),
    )


class _Running:
    def __init__(self, broker: Broker, started: Callable[[], None] = lambda: None) -> None:
        self._broker = broker
        self._started = started
        self.answer: Dict[str, Any] = {}

    def wait(self, timeout_s: float) -> bool:
        answer = self._broker.receive(timeout_s) or {}
        if answer.get("started"):
            self._started()
            return False
        self.answer = answer
        return bool(answer)

    def warn(self) -> None:
        self._broker.signal("TERM")

    def kill(self) -> None:
        self._broker.signal("KILL")

    def exceeded(self) -> Optional[Cause]:
        return None  # the kernel sees to memory, the broker to disk


def ended(container: Container, cause: Cause, answer: Dict[str, Any]) -> Ended:
    """What became of a container, from the broker's answer. Raises RuntimeFailed, WorkerLost."""
    as_it_ended = Ended(
        cause=cause,
        exit_code=int(answer.get("exit_code", 128 + signal.SIGKILL)),
        image_digest=answer.get("image_digest"),
        cpu_s=answer.get("cpu_s"),
        max_rss_kib=answer.get("max_rss_kib"),
    )
    if cause is not Cause.EXITED:
        return as_it_ended
    _check_engine(answer)
    said = str(answer["message"] if not answer["ok"] else answer["last_words"])
    if not answer["ok"] or as_it_ended.exit_code in (words.NOT_FOUND, words.NOT_EXECUTABLE):
        program = container.command[0] if container.command else ""
        why, detail = words.why_not_started(program, container.workdir, said)
        if why:
            return as_it_ended._replace(cause=Cause.NOT_STARTED, exit_code=why, detail=detail)
        if answer.get("error") == protocol.NOT_THERE:
            raise WorkerLost("the image went before the task could start")
        if not answer["ok"]:
            raise RuntimeFailed(words.last_line(said))
    if answer.get("disk"):
        return as_it_ended._replace(cause=Cause.OUT_OF_DISK, used_kib=answer.get("disk_kib"))
    if answer.get("cut"):
        raise WorkerLost("the worker's disk is full, and what the task wrote was lost")
    if as_it_ended.exit_code != 0 and answer["oom"]:
        return as_it_ended._replace(cause=Cause.OUT_OF_MEMORY)
    return as_it_ended


def _check_engine(answer: Dict[str, Any]) -> None:
    """Raises WorkerLost when the answer is that there is no engine to ask any more."""
    if answer.get("error") == protocol.UNAVAILABLE:
        raise WorkerLost(str(answer["message"]))
