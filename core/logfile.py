"""A file that grows, and is given another name when it is full: what is new in it since the last time.

HTCondor writes its history and its log of events so. A position names the file by its inode, since the name changes,
and remembers what stood before it, since an inode is used again, and a file that a backup has brought back has another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

WholeRecords = Callable[[bytes], int]
"""How many bytes from the beginning are whole records."""

PIECE = 1024 * 1024
_MARK = 1024  # holds a whole record of most logs, so no two are alike
_LOOKS = 5
"""At files whose names change meanwhile."""


@dataclass(frozen=True)
class Position:
    """inode: of the file; 0: nothing was read yet. mark: the bytes before the offset, as text."""

    inode: int = 0
    offset: int = 0
    mark: str = ""


@dataclass(frozen=True)
class News:
    """Whole records, and where they end. No content: there is nothing new."""

    content: bytes
    position: Position


def news(file: Path, position: Position, whole: WholeRecords, piece: int = PIECE) -> News:
    """What comes next. Whoever lost their place, or never had one, begins with the oldest file. Raises OSError."""
    for left in reversed(range(_LOOKS)):
        with ExitStack() as stack:
            try:
                logs = [stack.enter_context(open(path, "rb")) for path in _oldest_first(file)]
            except FileNotFoundError:  # it was given another name, or was taken away, since its name was read
                if not left:
                    raise
                continue
            at = _place(logs, position)
            # Of files that change their names in between one may have been passed over.
            if (at is None or at < len(logs) - 1) and left and _inodes(logs) != _inodes_by_name(file):
                continue
            return _next(logs if at is None else logs[at:], Position() if at is None else position, whole, piece)
    raise AssertionError  # the last look returns or raises


def end_of(file: Path) -> Position:
    """Of what is in the file by now; the beginning of one that is not there yet. Raises OSError."""
    try:
        with open(file, "rb") as log:
            status = os.fstat(log.fileno())
            log.seek(max(0, status.st_size - _MARK))
            mark = log.read(min(status.st_size, _MARK))
        return Position(status.st_ino, status.st_size, mark.decode("latin-1"))
    except FileNotFoundError:
        return Position()


def is_current(file: Path, position: Position) -> bool:
    """Whether nothing came after the position."""
    try:
        status = file.stat()
    except OSError:
        return position.inode == 0
    return (status.st_ino, status.st_size) == (position.inode, position.offset)


def _next(logs: Sequence[BinaryIO], position: Position, whole: WholeRecords, piece: int) -> News:
    """The first of them is the one that the position is in."""
    for log in logs:
        found = _in_file(log, position.offset, whole, piece)
        if found.content:
            return found
        # An older file grows no more: what is left at its end is half a record, whose other half never came.
        position = found.position if log is logs[-1] else Position()
    return News(b"", position)


def _in_file(log: BinaryIO, offset: int, whole: WholeRecords, piece: int) -> News:
    log.seek(offset)
    content = log.read(piece)
    length = whole(content)
    while length == 0 and len(content) == piece:  # a record longer than this
        piece *= 2
        log.seek(offset)
        content = log.read(piece)
        length = whole(content)
    end = offset + length
    log.seek(max(0, end - _MARK))
    mark = log.read(end - max(0, end - _MARK))
    return News(content[:length], Position(_inode(log), end, mark.decode("latin-1")))


def _oldest_first(file: Path) -> list[Path]:
    """The file and those that had its name before."""
    older = [(path.stat().st_mtime_ns, path) for path in file.parent.glob(f"{file.name}.*")]
    return [path for _, path in sorted(older)] + ([file] if file.exists() else [])


def _inodes_by_name(file: Path) -> list[int] | None:
    try:
        return [path.stat().st_ino for path in _oldest_first(file)]
    except FileNotFoundError:
        return None


def _inodes(logs: Sequence[BinaryIO]) -> list[int]:
    return [_inode(log) for log in logs]


def _inode(log: BinaryIO) -> int:
    return os.fstat(log.fileno()).st_ino


def _place(logs: Sequence[BinaryIO], position: Position) -> int | None:
    """Which of them the position is in. A copy of the file, as a backup's, is known by what stands before it."""
    places = [at for at, log in enumerate(logs) if _fits(log, position)]
    same = (at for at in places if _inode(logs[at]) == position.inode)
    return next(same, places[0] if places and position.mark else None)


def _fits(log: BinaryIO, position: Position) -> bool:
    if os.fstat(log.fileno()).st_size < position.offset:
        return False
    mark = position.mark.encode("latin-1")
    log.seek(position.offset - len(mark))
    return log.read(len(mark)) == mark
