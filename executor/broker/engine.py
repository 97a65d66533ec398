"""The Docker Engine's HTTP API on its unix socket: the one file of the broker that knows it.

Its command line is not needed on the worker, nothing passes through argument lists, and the facts (exit code, out
of memory, why a start failed) come as data. Paths carry no API version: the engine's own is used.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Dict, Iterator, Mapping, Protocol, Sequence, Tuple
from urllib.parse import quote, urlencode

_TIMEOUT_S = 120.0
_PULL_TIMEOUT_S = 1800.0  # between two lines of progress


class EngineUnavailable(Exception):
    """There is no engine, or it does not answer. The text is for people."""


class EngineRefused(Exception):
    """The engine does not do what it was asked. The text is its own."""


class NotThere(EngineRefused):
    """It does not know this container or image."""


@dataclass(frozen=True)
class Host:
    """What the engine's machine has."""

    cpus: int
    memory_mib: int


@dataclass(frozen=True)
class State:
    """What became of a container. image: the engine's id for its image."""

    image: str
    exit_code: int
    out_of_memory: bool


class Reader(Protocol):
    """Where bytes come from."""

    def read(self, amount: int, /) -> bytes:
        """So many bytes, fewer at the end only."""


class HangUp:
    """With this another thread ends a request that waits for the engine."""

    def __init__(self) -> None:
        self._connection: socket.socket | None = None
        self._now = False
        self._lock = threading.Lock()

    def now(self) -> None:
        """End it. That it has not begun, or has ended, is fine."""
        with self._lock:
            self._now = True
            self._shut_down()

    def watch(self, connection: socket.socket) -> None:
        """This is the request's connection."""
        with self._lock:
            self._connection = connection
            self._shut_down()

    def _shut_down(self) -> None:
        if self._now and self._connection is not None:
            with suppress(OSError):  # it has ended just now
                self._connection.shutdown(socket.SHUT_RDWR)


class Engine:
    """The engine behind a socket. Every verb raises EngineUnavailable, and EngineRefused where it may be refused."""

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path
        self._host: Host | None = None

    def version(self) -> str:
        with self._answer("GET", "/_ping") as answer:
            answer.read()
            name, _, version = answer.headers.get("Server", "").partition(" ")[0].partition("/")
        # Docker tells it with every answer; asked outright, it runs programs first, while a job would wait.
        return version if name == "Docker" else str(self._json("GET", "/version")["Version"])

    def host(self) -> Host:
        """What the engine's machine has. Asked once: the engine runs programs to answer, while a job would wait."""
        if self._host is None:
            info = self._json("GET", "/info")
            self._host = Host(cpus=int(info["NCPU"]), memory_mib=int(info["MemTotal"]) // (1024 * 1024))
        return self._host

    def image_digest(self, image: str) -> str:
        """The registry's digest of an image that is here, else the engine's own id for it. Raises NotThere."""
        found = self._json("GET", f"/images/{quote(plain(image), safe='/:@')}/json")
        digests = found.get("RepoDigests") or [found["Id"]]
        return str(digests[0]).rpartition("@")[2]

    def pull(self, image: str, hang_up: HangUp) -> None:
        """Fetch an image, if it is not here or the registry has a newer one under its name.

        hang_up: when it is called the engine gives up, and this raises EngineUnavailable.
        """
        name, tag = split_reference(plain(image))
        query = urlencode({"fromImage": name, "tag": tag})
        with self._answer("POST", f"/images/create?{query}", timeout_s=_PULL_TIMEOUT_S, hang_up=hang_up) as answer:
            for text in answer:
                # The status was sent before it was known how it would end.
                line = self._parsed(text)
                if "error" in line:
                    raise EngineRefused(str(line["error"]))

    def create(self, name: str, spec: Mapping[str, Any]) -> str:
        """A container that does not run yet; its id."""
        return str(self._json("POST", f"/containers/create?{urlencode({'name': name})}", spec)["Id"])

    @contextmanager
    def output(self, container: str) -> Iterator[Reader]:
        """Its stdout and stderr from the start, as frames; to be opened before it is started."""
        path = f"/containers/{container}/attach?stream=1&stdout=1&stderr=1"
        with self._answer("POST", path, timeout_s=None) as answer:
            yield answer

    def start(self, container: str) -> None:
        """Let it run."""
        self._json("POST", f"/containers/{container}/start")

    def entry(self, container: str, command: Sequence[str]) -> str:
        """A command that is to run in a running container as its user; its id."""
        spec = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True, "Privileged": False, "Tty": False}
        return str(self._json("POST", f"/containers/{container}/exec", spec)["Id"])

    @contextmanager
    def entered(self, entry: str) -> Iterator[Reader]:
        """Start it; its stdout and stderr, as frames, until it ends."""
        body = {"Detach": False, "Tty": False}
        with self._answer("POST", f"/exec/{entry}/start", body, timeout_s=None) as answer:
            yield answer

    def exit_code(self, entry: str) -> int | None:
        """Of a command that has ended; None: nobody knows."""
        code = self._json("GET", f"/exec/{entry}/json")["ExitCode"]
        return None if code is None else int(code)

    def wait(self, container: str) -> None:
        """Until it runs no more."""
        self._json("POST", f"/containers/{container}/wait", timeout_s=None)

    def state(self, container: str) -> State:
        """How it ended."""
        found = self._json("GET", f"/containers/{container}/json")
        state = found["State"]
        return State(str(found["Image"]), int(state["ExitCode"]), bool(state["OOMKilled"]))

    def layer_kib(self, container: str) -> int:
        """What it has written beside what is mounted into it."""
        return int(self._json("GET", f"/containers/{container}/json?size=1").get("SizeRw") or 0) // 1024

    def kill(self, container: str, signal: str) -> None:
        """Send a signal to its first process; KILL ends all of it."""
        self._json("POST", f"/containers/{container}/kill?{urlencode({'signal': signal})}")

    def remove(self, container: str) -> None:
        """After this returns nothing of it is left, its own volumes included. Not there is fine."""
        try:
            self._json("DELETE", f"/containers/{container}?force=1&v=1")
        except NotThere:
            return

    def labelled(self, labels: Mapping[str, str]) -> Dict[str, Dict[str, str]]:
        """All containers that carry these labels, by id, with all the labels of each."""
        filters = json.dumps({"label": [f"{name}={value}" for name, value in labels.items()]})
        found = self._json("GET", f"/containers/json?{urlencode({'all': '1', 'filters': filters})}")
        return {str(one["Id"]): dict(one["Labels"]) for one in found}

    def _json(
        self, verb: str, path: str, body: Mapping[str, Any] | None = None, timeout_s: float | None = _TIMEOUT_S
    ) -> Any:
        with self._answer(verb, path, body, timeout_s) as answer:
            text = answer.read()
        return self._parsed(text) if text.strip() else None

    def _parsed(self, text: bytes) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise EngineUnavailable(f"what answers on {self._socket_path} is no Docker engine") from error

    @contextmanager
    def _answer(
        self,
        verb: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        timeout_s: float | None = _TIMEOUT_S,
        hang_up: HangUp | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        if not self._socket_path:
            raise EngineUnavailable("this worker has no Docker engine for jobs")
        connection = _Connection(self._socket_path, timeout_s)
        response: http.client.HTTPResponse | None = None
        try:
            connection.connect()
            if hang_up is not None:
                hang_up.watch(connection.sock)
            connection.request(verb, path, *_encoded(body))
            response = connection.getresponse()
            if response.status >= 400:
                raise _refusal(response.status, response.read())
            yield response
        except (OSError, http.client.HTTPException) as error:
            raise EngineUnavailable(f"the Docker engine does not answer: {error}") from error
        finally:
            if response is not None:
                response.close()
            connection.close()


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float | None) -> None:
        super().__init__("docker", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def plain(image: str) -> str:
    """Without the scheme that Apptainer's users write."""
    return image[len("docker://") :] if image.startswith("docker://") else image


def split_reference(image: str) -> Tuple[str, str]:
    """A name and its tag or digest; "latest" where there is none, since the engine would fetch all tags then."""
    name, at, digest = image.partition("@")
    if at:
        return name, digest
    front, slash, last = image.rpartition("/")
    last, colon, tag = last.partition(":")
    return f"{front}{slash}{last}", tag if colon else "latest"


def _encoded(body: Mapping[str, Any] | None) -> Tuple[bytes | None, Dict[str, str]]:
    if body is None:
        return None, {}
    return json.dumps(body).encode(), {"Content-Type": "application/json"}


def _refusal(status: int, text: bytes) -> EngineRefused:
    try:
        message = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        message = text.decode(errors="replace").strip() or f"status {status}"
    return NotThere(message) if status == 404 else EngineRefused(message)
