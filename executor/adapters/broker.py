"""Docker containers through the worker's broker: the job's side of `executor.broker.protocol`."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Sequence

from prominence.core.plan import RegistryCredential
from prominence.executor import words
from prominence.executor.adapters.brokerline import ANSWER_S, Line, check_engine, granted
from prominence.executor.broker import protocol
from prominence.executor.deadline import supervise
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
    WorkerLost,
)
from prominence.executor.sandbox import Workspace

if TYPE_CHECKING:
    from prominence.executor.imagefiles import ImageFile

_STDOUT, _STDERR = 1, 2


class Broker:
    """ContainerRuntime named docker, and the giver of the workspace that its containers see.

    One object is one session: when it goes, or this process does, the broker removes all of it.
    """

    name = "docker"

    def __init__(self, path: str, sandbox: Path, patience_s: float = 0.0) -> None:
        self._line = Line(path, patience_s)
        self._sandbox = sandbox

    def version(self) -> str:
        return str(self._told()["version"])

    def lets_nodes_meet(self) -> bool:
        """Whether its containers can reach those of a job's other nodes. Raises RuntimeUnavailable."""
        return bool(self._told()["between_nodes"])

    def _told(self) -> Dict[str, Any]:
        self._line.connect()
        try:
            return self._line.ask("version")
        except (RuntimeFailed, WorkerLost) as error:
            raise RuntimeUnavailable(str(error)) from error

    def workspace(self, mounts: int = 0, beside: int = 0) -> Workspace:
        """Begin the session; its directories, with so many to be mounted. Raises RuntimeFailed.

        beside: how many containers are to accompany the task's.
        """
        more = {"beside": beside} if beside else {}
        answer = self._line.ask("session", sandbox=str(self._sandbox), mounts=mounts, **more)
        return Workspace(Path(answer["home"]), Path(answer["tmp"]), tuple(map(Path, answer["mounts"])))

    def has(self, image: str, credential: RegistryCredential | None = None) -> bool:
        return bool(self._line.ask("has", image=image, **({} if credential is None else {"private": True}))["has"])

    def fetch(
        self, image: str, timeout_s: float | None, stop: Stop, credential: RegistryCredential | None = None
    ) -> None:
        shown = {} if credential is None else credential._asdict()
        self._line.send(protocol.line("pull", image=image, **shown))
        answer = self._line.answer_in_time(timeout_s, stop, "the registry takes too long")
        if not answer["ok"]:
            raise FetchFailed(*words.why_not_fetched(answer["message"], credential))

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
            self._line.send(request, opened.fileno())
        answer = self._line.answer_in_time(timeout_s, stop, "the engine takes too long with it")
        if not answer["ok"]:
            said = str(answer["message"])
            raise FetchFailed(said if answer["error"] == "refused" else words.why_not_loaded(said))
        return str(answer["image"])

    def run(self, container: Container, limits: Limits, stop: Stop) -> Ended:
        running = _Running(self._line)
        self._line.send(_request("run", container), _STDOUT, _STDERR)
        cause = supervise(running, limits, stop)
        return ended(container, cause, running.answer)

    def accompany(
        self, container: Container, output: Output, limits: Limits, stop: Stop, started: Callable[[], None]
    ) -> Ended:
        beside = self._line.beside()
        try:
            running = _Running(beside, started)
            beside.send(_request("beside", container), *output)
            return ended(container, supervise(running, limits, stop), running.answer)
        finally:
            beside.close()

    def enter(self, command: Sequence[str], output: int, limit_s: float) -> int:
        answer = self._ask_beside(protocol.line("enter", command=list(command)), limit_s, output, output)
        if answer is None:
            raise OutOfTime(f"it ran longer than {limit_s:g} s")
        return int(answer["exit_code"] or 0)

    def usage(self) -> Used:
        answer = granted(self._ask_beside(protocol.line("usage"), ANSWER_S))
        return Used(answer["cpu_s"], answer["memory_kib"], answer["disk_kib"])

    def _ask_beside(self, line: bytes, limit_s: float, *descriptors: int) -> Optional[Dict[str, Any]]:
        """Of the container that runs; None: not in time."""
        beside = self._line.beside()
        try:
            beside.send(line, *descriptors)
            answer = beside.receive(limit_s)
        finally:
            beside.close()
        if answer is not None and answer.get("error") == protocol.NOT_THERE:
            raise NotRunning(str(answer["message"]))
        return None if answer is None else granted(answer)


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
    """A container, as who waits for its end over this line sees it."""

    def __init__(self, line: Line, started: Callable[[], None] = lambda: None) -> None:
        self._line = line
        self._started = started
        self.answer: Dict[str, Any] = {}

    def wait(self, timeout_s: float) -> bool:
        answer = self._line.receive(timeout_s) or {}
        if answer.get("started"):
            self._started()
            return False
        self.answer = answer
        return bool(answer)

    def warn(self) -> None:
        self._line.send(protocol.line("signal", name="TERM"))

    def kill(self) -> None:
        self._line.send(protocol.line("signal", name="KILL"))

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
    check_engine(answer)
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
