"""What goes over the engine's socket: a request and its answer, in HTTP and JSON."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Dict, Iterator, Mapping, Protocol, Tuple

_TIMEOUT_S = 120.0
_CREDENTIAL = "X-Registry-Auth"


class EngineUnavailable(Exception):
    """There is no engine, or it does not answer. The text is for people."""


class EngineRefused(Exception):
    """The engine does not do what it was asked. The text is its own."""


class NotThere(EngineRefused):
    """It does not know this container or image."""


@dataclass(frozen=True)
class Content:
    """What is sent: so many bytes, in pieces."""

    size: int
    kind: str
    pieces: Iterator[bytes]


class CanEnd(Protocol):
    """What a hang-up ends: a connection, or what stands for one."""

    def shutdown(self, how: int, /) -> None:
        """End it; that it has ended already is an OSError, or nothing."""


class HangUp:
    """With this another thread ends a request that waits for the engine."""

    def __init__(self) -> None:
        self._connection: CanEnd | None = None
        self._now = False
        self._lock = threading.Lock()

    def now(self) -> None:
        """End it. That it has not begun, or has ended, is fine."""
        with self._lock:
            self._now = True
            self._shut_down()

    def watch(self, connection: CanEnd) -> None:
        """This is the request's connection."""
        with self._lock:
            self._connection = connection
            self._shut_down()

    def _shut_down(self) -> None:
        if self._now and self._connection is not None:
            with suppress(OSError):  # it has ended just now
                self._connection.shutdown(socket.SHUT_RDWR)


class EngineSocket:
    """Every verb raises EngineUnavailable, and EngineRefused where it may be refused."""

    def __init__(self, path: str) -> None:
        self._path = path

    def follow(self, answer: http.client.HTTPResponse) -> None:
        """To the end of something of which the engine sent the status before it knew how it would end."""
        for text in answer:
            line = self._parsed(text)
            if "error" in line:
                raise EngineRefused(str(line["error"]))

    def json(
        self,
        verb: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        timeout_s: float | None = _TIMEOUT_S,
        credential: str = "",
    ) -> Any:
        """What it says to that, read from JSON; None: nothing."""
        with self.answer(verb, path, body, timeout_s, credential=credential) as answer:
            text = answer.read()
        return self._parsed(text) if text.strip() else None

    def _parsed(self, text: bytes) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise EngineUnavailable(f"what answers on {self._path} is no Docker engine") from error

    @contextmanager
    def answer(
        self,
        verb: str,
        path: str,
        body: Mapping[str, Any] | Content | None = None,
        timeout_s: float | None = _TIMEOUT_S,
        hang_up: HangUp | None = None,
        credential: str = "",
    ) -> Iterator[http.client.HTTPResponse]:
        """Its answer, while it comes. hang_up: ends it. credential: for the registry that it asks."""
        if not self._path:
            raise EngineUnavailable("this worker has no Docker engine for jobs")
        connection = _Connection(self._path, timeout_s)
        response: http.client.HTTPResponse | None = None
        try:
            connection.connect()
            if hang_up is not None:
                hang_up.watch(connection.sock)
            content, headers = _encoded(body)
            shown = {_CREDENTIAL: credential} if credential else {}
            with suppress(BrokenPipeError, ConnectionResetError):  # who refuses may do so before all of it was sent
                connection.request(verb, path, content, {**headers, **shown})
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


def _encoded(body: Mapping[str, Any] | Content | None) -> Tuple[bytes | Iterator[bytes] | None, Dict[str, str]]:
    if body is None:
        return None, {}
    if isinstance(body, Content):
        return body.pieces, {"Content-Type": body.kind, "Content-Length": str(body.size)}
    return json.dumps(body).encode(), {"Content-Type": "application/json"}


def _refusal(status: int, text: bytes) -> EngineRefused:
    try:
        message = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        message = text.decode(errors="replace").strip() or f"status {status}"
    return NotThere(message) if status == 404 else EngineRefused(message)
