"""The job's directory on the access point, by HTCondor's Chirp protocol: the starter passes on what we ask.

It needs no connection but the one that HTCondor holds anyway. What the other side may give us is limited there, to
files of jobs; here we ask for plain names only. While the access point is away, a starter that is asked to open a file
gives the job up, and one that is asked whether there is such a file says that it does not know: so that is asked first.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import BinaryIO, Optional, cast

CONFIGURATION = ".chirp.config"
"""In the sandbox, where HTCondor says how to reach it: host, port and a secret."""
_TIMEOUT_S = 30.0
_AT_ONCE = 64 * 1024
_NOT_THERE = -3
_MODE = 0o600


class AccessPointLost(OSError):
    """HTCondor does not pass on what we ask."""


class AccessPoint:
    """The directory, reached when it is asked for something for the first time. Every verb raises AccessPointLost."""

    def __init__(self, sandbox: Path) -> None:
        self._configuration = sandbox / CONFIGURATION
        self._stream: Optional[BinaryIO] = None

    def read(self, name: str, most: int) -> Optional[bytes]:
        """What a file holds, so many bytes of it at most; None: there is none."""
        if not self._has(name):
            return None
        descriptor = self._ask(f"open {name} r 0")
        if descriptor == _NOT_THERE:
            return None
        self._good(descriptor)
        self._take_line()  # what kind of file it is
        content = b""
        while len(content) < most:
            length = self._ask(f"read {descriptor} {min(most - len(content), _AT_ONCE)}")
            if length == 0:
                break
            content += self._take(self._good(length))
        self._ask(f"close {descriptor}")
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        partial = f".{name}.part"
        self.extend(partial, content, anew=True)
        self._good(self._ask(f"rename {partial} {name}"))

    def extend(self, name: str, content: bytes, anew: bool) -> None:
        """Write to the end of a file. anew: what it held before goes."""
        self._has(name)
        descriptor = self._good(self._ask(f"open {name} {'wtc' if anew else 'wac'} {_MODE}"))
        self._take_line()
        for start in range(0, len(content), _AT_ONCE):
            piece = content[start : start + _AT_ONCE]
            if self._ask(f"write {descriptor} {len(piece)}", piece) != len(piece):
                raise AccessPointLost("a file there cannot be written")
        self._good(self._ask(f"close {descriptor}"))

    def note(self, name: str, value: int) -> bool:
        """Have an attribute of the job's ad set with HTCondor's next update of it; whether it may be."""
        return self._ask(f"set_job_attr_delayed {name} {value}") >= 0

    def _has(self, name: str) -> bool:
        """Whether there is such a file."""
        answer = self._ask(f"access {name} 0")
        return answer != _NOT_THERE and self._good(answer) >= 0

    def _good(self, answer: int) -> int:
        if answer < 0:
            raise AccessPointLost(f"the access point refuses: {answer}")
        return answer

    def _ask(self, line: str, data: bytes = b"") -> int:
        stream = self._reached()
        try:
            stream.write(line.encode() + b"\n" + data)
            stream.flush()
        except OSError as error:
            raise self._lost(f"it cannot be asked: {error.strerror}") from error
        return int(self._take_line())

    def _take_line(self) -> bytes:
        try:
            line = self._reached().readline()
        except OSError as error:
            raise self._lost(f"it does not answer: {error.strerror}") from error
        if not line.endswith(b"\n"):
            raise self._lost("it has hung up")
        return line

    def _take(self, length: int) -> bytes:
        try:
            content = self._reached().read(length)
        except OSError as error:
            raise self._lost(f"it does not answer: {error.strerror}") from error
        if len(content) < length:
            raise self._lost("it has hung up")
        return content

    def _lost(self, why: str) -> AccessPointLost:
        """The next question is asked on a new connection."""
        self._stream = None
        return AccessPointLost(why)

    def _reached(self) -> BinaryIO:
        if self._stream is None:
            try:
                host, port, secret = self._configuration.read_text("utf-8").split()
                with socket.create_connection((host, int(port)), _TIMEOUT_S) as connection:
                    self._stream = cast(BinaryIO, connection.makefile("rwb"))
            except (OSError, ValueError) as error:
                raise AccessPointLost(f"HTCondor does not say how to reach it: {error}") from error
            self._good(self._ask(f"cookie {secret}"))
        return self._stream
