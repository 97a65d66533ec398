"""Pieces of a file on their way, and its checksum, reckoned meanwhile: on a fast network it takes as long.

The pieces are always the same few: to have the kernel make room for each of them anew takes longer than to copy it.
"""

from __future__ import annotations

import hashlib
import io
import threading
from contextlib import contextmanager
from queue import Queue
from typing import Iterator, Optional, Protocol

from prominence.executor.ports import Interrupted, Stop
from prominence.executor.transfer import TransferFailed

PIECE = 256 * 1024
"""Bytes."""
_PIECES = 8


class Pieces(Protocol):
    """Room for one piece after the other."""

    def room(self) -> memoryview:
        """For the next one. What the last one held may be gone."""

    def update(self, piece: memoryview) -> None:
        """The next one, which is the room that was given, or the beginning of it."""


class Uncounted:
    """`Pieces` of which nothing is reckoned."""

    def __init__(self) -> None:
        self._room = memoryview(bytearray(PIECE))

    def room(self) -> memoryview:
        return self._room

    def update(self, piece: memoryview) -> None:
        pass


class Sha256:
    """`Pieces` whose checksum is reckoned in a thread of its own; whoever is faster waits."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._rooms: Queue[memoryview] = Queue()
        for _ in range(_PIECES):
            self._rooms.put(memoryview(bytearray(PIECE)))
        self._pieces: Queue[Optional[memoryview]] = Queue()
        self._thread = threading.Thread(target=self._reckon, daemon=True)
        self._thread.start()

    def room(self) -> memoryview:
        return self._rooms.get()

    def update(self, piece: memoryview) -> None:
        self._pieces.put(piece)

    def close(self) -> str:
        """No more will come: the checksum of those that came, in hexadecimal digits. May be repeated."""
        if self._thread.is_alive():
            self._pieces.put(None)
            self._thread.join()
        return self._digest.hexdigest()

    def _reckon(self) -> None:
        while (piece := self._pieces.get()) is not None:
            self._digest.update(piece)
            whole = piece.obj
            assert isinstance(whole, bytearray)
            self._rooms.put(memoryview(whole))


class Sending:
    """So many bytes of a file, of which no more is read when we are told to stop."""

    def __init__(self, file: io.FileIO, size: int, pieces: Pieces, stop: Stop) -> None:
        self._file, self._size, self._pieces, self._stop = file, size, pieces, stop

    def __iter__(self) -> Iterator[memoryview]:
        left = self._size
        while left:
            if self._stop.requested:
                raise Interrupted
            room = self._pieces.room()[:left]
            came = self._file.readinto(room)
            if not came:
                raise TransferFailed("it became shorter while it was sent")
            self._pieces.update(room[:came])
            yield room[:came]
            left -= came


@contextmanager
def reckoning(wanted: bool) -> Iterator[Optional[Sha256]]:
    """Pieces whose checksum is wanted; None: it is not."""
    digest = Sha256() if wanted else None
    try:
        yield digest
    finally:
        if digest is not None:
            digest.close()
