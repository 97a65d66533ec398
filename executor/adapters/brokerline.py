"""A connection to the worker's broker: requests of `executor.broker.protocol` to it, and its answers."""

from __future__ import annotations

import json
import select
import socket
import time
from typing import Any, Dict, Optional

from prominence.executor.broker import protocol
from prominence.executor.deadline import TICK_S
from prominence.executor.ports import FetchTimedOut, Interrupted, RuntimeFailed, RuntimeUnavailable, Stop, WorkerLost

ANSWER_S = 150.0
"""Beyond the broker's own patience with the engine."""
_RETRY_S = 0.2


class Line:
    """To the broker at this path, which may be a while in coming up. What is lent over it is there as long as it is."""

    def __init__(self, path: str, patience_s: float = 0.0) -> None:
        self._path = path
        self._patience_s = patience_s
        self._socket: Optional[socket.socket] = None
        self._received = b""

    def connect(self) -> None:
        """If that has not been done. Raises RuntimeUnavailable."""
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

    def close(self) -> None:
        """Hang up."""
        self._connected().close()

    def beside(self) -> Line:
        """Another one to the same broker, connected: this one may be waiting for a container's end."""
        other = Line(self._path)
        other.connect()
        return other

    def send(self, line: bytes, *descriptors: int) -> None:
        """Ask for something, with these open files. Raises WorkerLost, RuntimeFailed where nobody has connected."""
        connection = self._connected()
        try:
            sent = socket.send_fds(connection, [line], descriptors) if descriptors else 0
            connection.sendall(line[sent:])
        except OSError as error:
            raise WorkerLost(f"the worker's broker cannot be asked: {error.strerror}") from error

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

    def ask(self, verb: str, **fields: Any) -> Dict[str, Any]:
        """What is answered to a request that is granted. Raises RuntimeFailed, WorkerLost."""
        self.send(protocol.line(verb, **fields))
        return granted(self.receive(ANSWER_S))

    def answer_in_time(self, timeout_s: float | None, stop: Stop, too_long: str) -> Dict[str, Any]:
        """The answer. Raises Interrupted, FetchTimedOut, WorkerLost."""
        give_up_at = time.monotonic() + (float("inf") if timeout_s is None else timeout_s)
        # Who gives up hangs up soon, and the broker with him.
        while (answer := self.receive(max(0.0, min(TICK_S, give_up_at - time.monotonic())))) is None:
            if stop.requested:
                raise Interrupted
            if time.monotonic() >= give_up_at:
                raise FetchTimedOut(too_long)
        check_engine(answer)
        return answer

    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise RuntimeFailed("the worker's broker has not been reached")
        return self._socket


def granted(answer: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    """The answer, if it is one, and a good one. Raises RuntimeFailed, WorkerLost."""
    if answer is None:
        raise WorkerLost("the worker's broker does not answer")
    check_engine(answer)
    if not answer["ok"]:
        raise RuntimeFailed(str(answer["message"]))
    return answer


def check_engine(answer: Dict[str, Any]) -> None:
    """Raises WorkerLost when the answer is that there is no engine to ask any more."""
    if answer.get("error") == protocol.UNAVAILABLE:
        raise WorkerLost(str(answer["message"]))
