"""A container's output, from the engine's frames to the descriptors that the job's side gave us."""

from __future__ import annotations

import os
import select
import stat
import struct
from dataclasses import dataclass
from typing import Callable, Dict, Iterator, Tuple

from prominence.executor import diskuse
from prominence.executor.broker.engine import Reader

STDOUT, STDERR = 1, 2
KEPT = 1024
"""Bytes of stderr that are kept: a container's init tells there why it could not start the command."""
_HEADER = struct.Struct(">BxxxL")
_AT_ONCE = 64 * 1024
_POLL_MS = 500
# A pipe that polls as writable takes so much without making us wait.
_PIPE_TAKES = select.PIPE_BUF


@dataclass(frozen=True)
class Forwarded:
    """last_words: the end of stderr. cut: some of it was lost because a disk is full."""

    last_words: str
    cut: bool


def frames(reader: Reader) -> Iterator[Tuple[int, bytes]]:
    """Pieces of output, each with its stream, until the container's output ends."""
    while True:
        header = reader.read(_HEADER.size)
        if len(header) < _HEADER.size:
            return
        stream, left = _HEADER.unpack(header)
        while left:
            data = reader.read(min(left, _AT_ONCE))
            if not data:
                return
            left -= len(data)
            yield stream, data


def forward(reader: Reader, descriptors: Dict[int, int], abandoned: Callable[[], bool]) -> Forwarded:
    """Write all of it to the descriptors, by stream.

    A reader that is slow slows the container down; one that is gone is done without. A descriptor that takes
    nothing any more must not hold us for ever: when `abandoned` says that nobody waits, the rest is thrown away.
    """
    open_ones = dict(descriptors)
    last_words = b""
    cut = False
    for stream, data in frames(reader):
        if stream == STDERR:
            last_words = (last_words + data)[-KEPT:]
        try:
            if stream in open_ones and not _write(open_ones[stream], data, abandoned):
                del open_ones[stream]
        except OSError as error:
            cut = cut or error.errno in diskuse.FULL
            del open_ones[stream]
    return Forwarded(last_words.decode(errors="replace"), cut)


def _write(descriptor: int, data: bytes, abandoned: Callable[[], bool]) -> bool:
    """Whether the descriptor still takes data. Raises OSError where it never will."""
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        while data:
            data = data[os.write(descriptor, data) :]
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    while data:
        if poll.poll(_POLL_MS):
            data = data[_write_some(descriptor, data) :]
        elif abandoned():
            return False
    return True


def _write_some(descriptor: int, data: bytes) -> int:
    try:
        return os.write(descriptor, data[:_PIPE_TAKES])
    except BlockingIOError:  # somebody else was faster, and had asked not to wait
        return 0
