"""Files in the job's home as its tasks see them, found and opened without ever leaving the home.

Links are followed as in the container, where the home has another path; one that leads out leads nowhere.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Iterator, List, Sequence

from prominence.executor.environment import HOME

_MOST_LINKS = 40
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


MOST_MATCHES = 10_000
"""Of one pattern; a job can make more files than anybody wants."""


def matches(home: Path, pattern: str) -> List[str]:
    """The regular files that match the pattern, by name, as paths in the home."""
    found: List[str] = []
    for path in _matches(home, (), pattern.split("/")):
        with suppress(OSError):
            os.close(open_file(home, path))
            found.append(path)
            if len(found) == MOST_MATCHES:
                break
    return found


def open_file(home: Path, path: str) -> int:
    """A descriptor of the regular file. Raises OSError for anything else, and for what is not beneath the home."""
    parts = resolve(home, path)
    if not parts:
        raise IsADirectoryError(f"{path} is no file")
    directory = _enter(home, parts[:-1])
    try:
        file = os.open(parts[-1], _FILE, dir_fd=directory)
    finally:
        os.close(directory)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError(f"{path} is no regular file")
    return file


def open_directory(home: Path, path: str) -> int:
    """A descriptor of the directory. Raises OSError for anything else, and for what is not beneath the home."""
    return _enter(home, resolve(home, path))


def open_any(home: Path, path: str) -> int:
    """A descriptor of the directory, or of the regular file. Raises OSError as those above."""
    try:
        return open_directory(home, path)
    except NotADirectoryError:
        return open_file(home, path)


def resolve(home: Path, path: str) -> List[str]:
    """The path in the home without links in it. Raises OSError when it leads out or in circles."""
    done: List[str] = []
    left = list(reversed(path.split("/")))
    links = 0
    while left:
        part = left.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not done:
                raise PermissionError(f"{path} leads out of the job's home")
            done.pop()
            continue
        found = os.lstat(home.joinpath(*done, part))
        if not stat.S_ISLNK(found.st_mode):
            done.append(part)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(f"{path} leads in circles")
        target = os.readlink(home.joinpath(*done, part))
        if target.startswith("/"):
            if target != HOME and not target.startswith(HOME + "/"):
                raise PermissionError(f"{path} leads out of the job's home")
            done, target = [], target[len(HOME) :]
        left += reversed(target.split("/"))
    return done


def _matches(home: Path, above: Sequence[str], patterns: Sequence[str]) -> Iterator[str]:
    """Paths that match, in the order of their names. As in a shell, * does not match a leading dot."""
    pattern, rest = patterns[0], patterns[1:]
    try:
        parts = resolve(home, "/".join(above))
        names = sorted(os.listdir(home.joinpath(*parts)))
    except OSError:
        return
    for name in names:
        fits = fnmatch.fnmatchcase(name, pattern) and (pattern.startswith(".") or not name.startswith("."))
        if name == pattern or fits:
            if rest:
                yield from _matches(home, (*above, name), rest)
            else:
                yield "/".join((*above, name))


def _enter(home: Path, parts: Sequence[str]) -> int:
    here = os.open(home, _DIRECTORY)
    try:
        for part in parts:
            below = os.open(part, _DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
    except OSError:
        os.close(here)
        raise
    return here
