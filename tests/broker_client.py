"""Somebody who speaks to a broker by hand."""

from __future__ import annotations

import json
import socket
from typing import Any

from acting import acting_as
from real_executor import BrokerProcess

from prominence.executor.broker import protocol


class Client:
    """One connection, of whoever it says."""

    def __init__(self, broker: BrokerProcess, uid: int, gid: int) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        with acting_as(uid, gid):  # the kernel notes who connects
            self.socket.connect(str(broker.socket))
        self._lines = self.socket.makefile("rb")

    def send(self, line: bytes, *descriptors: int) -> None:
        socket.send_fds(self.socket, [line], descriptors)

    def receive(self) -> dict[str, Any]:
        """The next answer; nothing when the broker has hung up."""
        line = self._lines.readline()
        return dict(json.loads(line)) if line else {}

    def ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        self.send(protocol.line(verb, **fields))
        return self.receive()

    def close(self) -> None:
        self._lines.close()
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
