"""Who has files open below a directory: by Linux's list of processes, so whoever it is that started them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

PROCESSES = Path("/proc")


def users_of(folders: Sequence[Path], but: Sequence[Path] = (), processes: Path = PROCESSES) -> list[str]:
    """Such as "condor_schedd (4711)", but not this process. but: directories below that do not count.

    Of processes of other users only root is told.
    """
    found = []
    for process in sorted(processes.glob("[0-9]*"), key=lambda path: int(path.name)):
        if int(process.name) != os.getpid() and any(_is_below(one, folders, but) for one in _open_in(process)):
            try:
                name = (process / "comm").read_text().strip()
            except OSError:
                continue
            found.append(f"{name} ({process.name})")
    return found


def _open_in(process: Path) -> list[Path]:
    """Files and directories of a process; none where it has ended, or we may not know."""
    found = []
    try:
        links = [process / "cwd", *(process / "fd").iterdir()]
    except OSError:
        return []
    for link in links:
        try:
            found.append(Path(os.readlink(link)))
        except OSError:
            continue
    return found


def _is_below(path: Path, folders: Sequence[Path], but: Sequence[Path]) -> bool:
    if not path.is_absolute() or any(path.is_relative_to(one) for one in but):
        return False
    return any(path.is_relative_to(folder) for folder in folders)
