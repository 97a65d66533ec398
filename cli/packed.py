"""A directory as one file, for a job to unpack."""

from __future__ import annotations

import tarfile
from pathlib import Path


def pack(directory: Path, file: Path) -> None:
    """Write what the directory holds into the file, a .tar.gz: files, directories and links, by nobody's name."""
    with tarfile.open(file, "w:gz") as tar:
        for path in sorted(directory.iterdir()):
            tar.add(path, path.name, filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member if member.isfile() or member.isdir() or member.issym() or member.islnk() else None
