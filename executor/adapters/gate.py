"""The only way to the world of what mounts a job's storage: a SOCKS server that goes by the rules for artifacts.

A program that speaks HTTP by itself would follow a name, or a redirect, to what listens on the worker or to a metadata
service. So it gets a network of its own in which there is nothing but this server's socket, which was made there; the
connections that it asks for are made here, each after its name was looked up and its address checked.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import Tuple

from prominence.executor.adapters.addresses import Forbidden, connect

PORT = 1080
_PATIENCE_S = 30.0
_PIECE = 256 * 1024
_VERSION, _ANONYMOUS, _CONNECT, _NONE_OF_THESE = 5, 0, 1, 0xFF
_DONE, _NOT_ALLOWED, _UNREACHABLE, _REFUSED, _UNKNOWN = 0, 2, 4, 5, 7
_IPV4, _NAME, _IPV6 = 1, 3, 4


class Gate:
    """Serves on a socket that listens, until it is closed. moved: bytes that have gone through, either way."""

    def __init__(self, listening: socket.socket) -> None:
        self.moved = 0
        self._listening = listening
        threading.Thread(target=self._serve, name="gate", daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes who waits there
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                here, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._attend, args=(here,), name="gate", daemon=True).start()

    def _attend(self, here: socket.socket) -> None:
        with here, suppress(OSError, _Nonsense):
            here.settimeout(_PATIENCE_S)
            address = _asked(here)
            try:
                there = connect(address, _PATIENCE_S)
            except Forbidden:
                here.sendall(_answer(_NOT_ALLOWED))
                return
            except (OSError, UnicodeError) as error:  # a name that cannot be one
                here.sendall(_answer(_REFUSED if isinstance(error, ConnectionRefusedError) else _UNREACHABLE))
                return
            with there:
                here.sendall(_answer(_DONE))
                here.settimeout(None)
                there.settimeout(None)
                back = threading.Thread(target=self._pass_on, args=(there, here), name="gate", daemon=True)
                back.start()
                self._pass_on(here, there)
                back.join()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                target.sendall(piece)
                self.moved += len(piece)
        # So the other direction ends as well: who speaks HTTP does not go on after half an end.
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class _Nonsense(Exception):
    """Not what a SOCKS client says."""


def _asked(here: socket.socket) -> Tuple[str, int]:
    """Where the client wants to get."""
    version, count = _read(here, 2)
    if version != _VERSION or _ANONYMOUS not in _read(here, count):
        here.sendall(bytes([_VERSION, _NONE_OF_THESE]))
        raise _Nonsense
    here.sendall(bytes([_VERSION, _ANONYMOUS]))
    version, command, _, kind = _read(here, 4)
    if version != _VERSION or command != _CONNECT or kind not in (_IPV4, _NAME, _IPV6):
        here.sendall(_answer(_UNKNOWN))
        raise _Nonsense
    if kind == _NAME:
        host = _read(here, _read(here, 1)[0]).decode("ascii", "replace")
    elif kind == _IPV4:
        host = socket.inet_ntop(socket.AF_INET, _read(here, 4))
    else:
        host = socket.inet_ntop(socket.AF_INET6, _read(here, 16))
    return host, struct.unpack("!H", _read(here, 2))[0]


def _answer(code: int) -> bytes:
    return bytes([_VERSION, code, 0, _IPV4, 0, 0, 0, 0, 0, 0])


def _read(here: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = here.recv(size - len(found))
        if not piece:
            raise _Nonsense
        found += piece
    return found
