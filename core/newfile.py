"""A new file that is there as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """To be written to, for its owner alone. It gets its name when all of it is on the disk, and takes nobody's: raises
    FileExistsError, before anything is written."""
    _refuse(path)
    new = path.with_name(f".{path.name}.new")
    with open(_made(new, path), "wb") as stream:
        try:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            if not _is(new, stream):
                raise FileExistsError(f"{path} is being written by another program.")
            _refuse(path)  # a link would replace nothing without asking, but not every file system has any
            new.rename(path)
        finally:
            if _is(new, stream):
                new.unlink()


def _made(new: Path, path: Path) -> int:
    """Its descriptor."""
    try:
        new.unlink(missing_ok=True)
        return os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        error.filename = str(path)  # nobody knows of the other
        raise


def _is(path: Path, stream: IO[bytes]) -> bool:
    """Whether the open file still has this name: whoever writes the same at the same time has taken it away."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False


def _refuse(path: Path) -> None:
    if os.path.lexists(path):
        raise FileExistsError(f"{path} is there already.")
