"""What a job has kept, and where each thing goes when it is downloaded. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from prominence.cli import view
from prominence.cli.errors import ClientError


@dataclass(frozen=True)
class Kept:
    """One file. url: it says all by itself. size: None where it is not known."""

    name: str
    url: str
    file: Path
    size: int | None


def kept(job: view.Job, into: Path) -> Iterator[Kept]:
    """The files of a job that has ended; directories are files, too, as .tgz. Raises ClientError for a name that
    leads out of the directory `into`."""
    for key, suffix in (("outputFiles", ""), ("outputDirs", ".tgz")):
        for one in view.mappings(job, key):
            name, url, size = view.text(one, "name") + suffix, view.text(one, "url"), one.get("size")
            if url:
                yield Kept(name, url, _place(into, name), size if isinstance(size, int) else None)


def _place(into: Path, name: str) -> Path:
    """Where the file goes: whatever the service calls it, beneath the directory."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or not _is_possible(name):
        raise ClientError(f"{name!r} is not a name that anything is downloaded under.")
    return into / path


def _is_possible(name: str) -> bool:
    try:
        return b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:  # half a letter, which JSON can hold
        return False
