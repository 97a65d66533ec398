"""Directories beneath the sandbox, made and checked without ever following a link.

A task that puts a link where the next task's directory is looked for must not get what the link points to.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Sequence, Tuple

from prominence.executor.environment import HOME
from prominence.executor.ports import RuntimeFailed

_REAL_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Workspace(NamedTuple):
    """The directories that all tasks of a job share: absolute paths on the worker. mounts: to be seen elsewhere."""

    home: Path
    tmp: Path
    mounts: Tuple[Path, ...] = ()


def make_workspace(sandbox: Path, mounts: int = 0) -> Workspace:
    """A workspace beneath the sandbox, with so many directories to be mounted. Raises RuntimeFailed."""
    root = sandbox.resolve()
    more = tuple(make_directory(root, f"mount-{number}") for number in range(mounts))
    return Workspace(home=make_directory(root, "home"), tmp=make_directory(root, "tmp"), mounts=more)


def make_directory(parent: Path, name: str) -> Path:
    """parent/name as a real directory of ours, made where it is missing. Raises RuntimeFailed."""
    path = parent / name
    try:
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
    except OSError as error:
        raise RuntimeFailed(f"{path} cannot be made: {error.strerror}") from error
    check(path)
    return path


def check(path: Path) -> None:
    """Raises RuntimeFailed unless `path` is a real directory of ours."""
    try:
        found = os.lstat(path)
    except OSError as error:
        raise RuntimeFailed(f"{path} is no longer there: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise RuntimeFailed(f"{path} is not the directory that was made there")


def make_workdir(home: Path, workdir: str) -> None:
    """Make the directories of a working directory in the job's home, as far as no link is in the way.

    Elsewhere, and beyond a link, it is for the runtime to find it: paths mean something else inside the container.
    """
    try:
        parts = PurePosixPath(workdir).relative_to(HOME).parts
    except ValueError:
        return
    if ".." in parts:
        return
    with suppress(OSError):  # the runtime will say so
        os.close(make_below(home, parts))


def make_below(directory: Path, parts: Sequence[str]) -> int:
    """Directories within directories, made where they are missing; a descriptor of the last. Raises OSError."""
    here = os.open(directory, _REAL_DIRECTORY)
    try:
        for part in parts:
            with suppress(FileExistsError):
                os.mkdir(part, dir_fd=here)
            below = os.open(part, _REAL_DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
    except OSError:
        os.close(here)
        raise
    return here
