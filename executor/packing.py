"""Packing what users want to keep, also while a task of theirs changes it: no link is followed, also no new one.

Every name is opened beneath the directory that was looked at, and what is packed is what was opened.
"""

from __future__ import annotations

import errno
import os
import stat
import tarfile
from pathlib import Path
from typing import IO

from prominence.executor.ports import Interrupted, Stop

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHANGED = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO)
"""What is gone, or something else, since it was looked at."""
DEEPEST = 256
"""Directories in each other: each keeps a descriptor while it is packed."""


class TooDeep(OSError):
    """There are more directories in each other than are packed."""


def pack(tree: int, name: str, file: Path, stop: Stop) -> bool:
    """The directory or file behind the descriptor as `name` in a .tgz; links as links; whether none has changed.

    Nothing that is neither file, directory nor link comes in, nor what goes away meanwhile. Raises OSError, TarError,
    Interrupted; what there is of the file then is no archive.
    """
    with tarfile.open(file, "w:gz", compresslevel=6) as archive:
        if stat.S_ISDIR(os.fstat(tree).st_mode):
            return _add_directory(archive, tree, name, 0, stop)
        return _add_file(archive, tree, name, stop)


def _add_directory(archive: tarfile.TarFile, directory: int, name: str, depth: int, stop: Stop) -> bool:
    if depth > DEEPEST:
        raise TooDeep(f"{name[:100]}... has more than {DEEPEST} directories in each other")
    before, steady = os.fstat(directory), True
    archive.addfile(_entry(name, before, tarfile.DIRTYPE))
    for below in sorted(os.listdir(directory)):
        if stop.requested:
            raise Interrupted
        try:
            steady = _add(archive, directory, below, f"{name}/{below}", depth + 1, stop) and steady
        except OSError as error:
            if error.errno not in _CHANGED:
                raise
            steady = False
    return steady and _is_as_before(directory, before)


def _add(archive: tarfile.TarFile, directory: int, below: str, name: str, depth: int, stop: Stop) -> bool:
    mode = os.lstat(below, dir_fd=directory).st_mode
    if stat.S_ISLNK(mode):
        entry = _entry(name, os.lstat(below, dir_fd=directory), tarfile.SYMTYPE)
        entry.linkname = os.readlink(below, dir_fd=directory)
        archive.addfile(entry)
    elif stat.S_ISDIR(mode) or stat.S_ISREG(mode):
        opened = os.open(below, _DIRECTORY if stat.S_ISDIR(mode) else _FILE, dir_fd=directory)
        try:
            if stat.S_ISDIR(mode):
                return _add_directory(archive, opened, name, depth, stop)
            return _add_file(archive, opened, name, stop)
        finally:
            os.close(opened)
    return True


def _add_file(archive: tarfile.TarFile, file: int, name: str, stop: Stop) -> bool:
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        return False  # swapped for something else
    entry = _entry(name, found, tarfile.REGTYPE)
    entry.size = found.st_size
    with open(file, "rb", closefd=False) as opened:
        archive.addfile(entry, _Whole(opened, found.st_size, stop))
    return _is_as_before(file, found)


def _is_as_before(descriptor: int, before: os.stat_result) -> bool:
    now = os.fstat(descriptor)
    return (now.st_size, now.st_mtime_ns, now.st_ctime_ns) == (before.st_size, before.st_mtime_ns, before.st_ctime_ns)


def _entry(name: str, found: os.stat_result, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = kind, stat.S_IMODE(found.st_mode), int(found.st_mtime)
    return entry


class _Whole:
    """A file of so many bytes, whatever becomes of it: the archive has said its size before."""

    def __init__(self, file: IO[bytes], size: int, stop: Stop) -> None:
        self._file, self._left, self._stop = file, size, stop

    def read(self, amount: int = -1, /) -> bytes:
        """So many bytes, with zeros in place of what is not there any more. Raises Interrupted."""
        if self._stop.requested:
            raise Interrupted
        amount = self._left if amount < 0 else min(amount, self._left)
        self._left -= amount
        return self._file.read(amount).ljust(amount, b"\0")
