"""A file that grows, and is given another name when it is full: what is new in it since the last time.

HTCondor writes its history and its log of events so. A position names the file by its inode, since the name changes,
and remembers what stood before it, since an inode is used again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

WholeRecords = Callable[[bytes], int]
"""How many bytes from the beginning are whole records."""

PIECE = 1024 * 1024
_MARK = 64


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
    files = _oldest_first(file)
    at = next((index for index, path in enumerate(files) if _is_in(path, position)), None)
    if at is None:
        position = Position()
    for path in files[at:]:
        found = _in_file(path, position, whole, piece)
        if found.content:
            return found
        # An older file grows no more: what is left at its end is half a record, whose other half never came.
        position = found.position if path == files[-1] else Position()
    return News(b"", position)


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


def _in_file(path: Path, position: Position, whole: WholeRecords, piece: int) -> News:
    with open(path, "rb") as log:
        inode = os.fstat(log.fileno()).st_ino
        offset = position.offset if inode == position.inode else 0
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
    return News(content[:length], Position(inode, end, mark.decode("latin-1")))


def _oldest_first(file: Path) -> list[Path]:
    """The file and those that had its name before."""
    older = [(path.stat().st_mtime_ns, path) for path in file.parent.glob(f"{file.name}.*")]
    return [path for _, path in sorted(older)] + ([file] if file.exists() else [])


def _is_in(path: Path, position: Position) -> bool:
    with open(path, "rb") as log:
        status = os.fstat(log.fileno())
        if status.st_ino != position.inode or status.st_size < position.offset:
            return False
        mark = position.mark.encode("latin-1")
        log.seek(position.offset - len(mark))
        return log.read(len(mark)) == mark
