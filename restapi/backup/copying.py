"""The parts of this machine into an archive, while everything runs."""

from __future__ import annotations

import errno
import io
import os
import socket
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

from prominence.core import version
from prominence.core.keyvalue.port import Everything
from prominence.restapi.backup import manifest, owners, stored
from prominence.restapi.backup.moment import Frozen, moment
from prominence.restapi.backup.packing import Packer, member_of, packed
from prominence.restapi.backup.parts import EPOCHS, EVENTS, QUEUE, Kind, Part

MOST_TOLD = 100
"""Names of what was left out."""
_BECAME_ANOTHER = (errno.ELOOP, errno.ENXIO, errno.EISDIR)
"""Than it was when it was looked at: a link, a socket, a directory."""

_SMALL = 16 * 1024 * 1024
"""Files that are read in one piece, and so are of one moment."""

CopyDatabase = Callable[[Path, Path], None]
"""As it is at one moment, into a new file."""


@dataclass
class Source:
    """What is copied, and by whom. room: a directory for copies of databases. clock: the time of day."""

    parts: tuple[Part, ...]
    sandboxes: Path
    room: Path
    everything: Callable[[], Everything]
    copy_database: CopyDatabase
    clock: Callable[[], datetime]
    left_out: list[str] = field(default_factory=list)


def back_up(source: Source, stream: IO[bytes]) -> manifest.Manifest:
    """Write it. Raises OSError, Unavailable."""
    begun_at = source.clock()
    with packed(stream) as packer:
        _add_databases(packer, source)
        _add_logs(packer, source)
        for part in source.parts:
            _add_part(packer, source, part)
        told = manifest.Manifest(
            version=version.installed(),
            host=socket.gethostname(),
            begun_at=begun_at,
            ended_at=source.clock(),
            sandboxes=str(source.sandboxes),
            parts=packer.sums(),
            left_out=tuple(source.left_out[:MOST_TOLD]),
            cut=packer.cut(),
        )
        packer.finish(told)
    return told


def _add_databases(packer: Packer, source: Source) -> None:
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=source.room) as room:
        for part in source.parts:
            if part.kind is Kind.DATABASE and part.place.exists():
                copy = Path(room) / part.name
                source.copy_database(part.place, copy)
                _add_file(packer, part.name, copy, part.place.lstat())
                copy.unlink()


def _add_logs(packer: Packer, source: Source) -> None:
    """The queue, and what tells of its jobs, of one moment; then what else is in those directories."""
    logs = {part.name: part for part in source.parts if part.kind is Kind.LOGS}
    others = [logs[name].place for name in (EVENTS, EPOCHS)]
    with moment(logs[QUEUE].place, others) as frozen:
        for part in logs.values():
            if part.place.is_dir():
                _add_path(packer, source, part.name, part.place)
                own = [found for path, found in frozen.items() if path.parent == part.place]
                for found in own:
                    _add_frozen(packer, part, found)
                _add_tree(packer, source, part, frozenset(found.path for found in own), itself=False)


def _add_part(packer: Packer, source: Source, part: Part) -> None:
    """One that is neither a database nor among the logs."""
    if part.kind is Kind.STORE:
        packer.add_text(part.name, stored.written(source.everything(), source.clock()))
    elif part.kind is Kind.TREE and part.place.is_dir():
        _add_tree(packer, source, part, passed_over=frozenset())
    elif part.kind is Kind.FILE and part.place.exists():
        _add_path(packer, source, part.name, part.place)


def _add_frozen(packer: Packer, part: Part, found: Frozen) -> None:
    member = _info(f"{part.name}/{found.path.name}", found.status)
    member.size = found.size
    packer.add(member, found.stream)


def _add_tree(packer: Packer, source: Source, part: Part, passed_over: frozenset[Path], itself: bool = True) -> None:
    if itself:
        _add_path(packer, source, part.name, part.place)
    for path in _below(part.place):
        if path not in passed_over:
            _add_path(packer, source, f"{part.name}/{path.relative_to(part.place)}", path)


def _below(folder: Path) -> Iterator[Path]:
    """Directories before what is in them. What vanishes meanwhile is not there."""
    for above, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(above, name) for name in sorted((*folders, *files)))


def _add_path(packer: Packer, source: Source, name: str, path: Path) -> None:
    """As it is now, unless it has gone, or is nothing that a backup holds."""
    try:
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            _add_file(packer, name, path, status)
            return
        member = _info(name, status)
        if stat.S_ISLNK(status.st_mode):
            member.linkname = os.readlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in _BECAME_ANOTHER:
            raise
        source.left_out.append(f"{path}: {error.strerror}")
        return
    if member.type not in (tarfile.DIRTYPE, tarfile.SYMTYPE):
        source.left_out.append(f"{path}: neither a file nor a directory nor a link")
    elif member.type == tarfile.SYMTYPE and manifest.leads_out(member_of(member)):
        source.left_out.append(f"{path}: a link that leads out of the backup")
    else:
        packer.add(member)


def _add_file(packer: Packer, name: str, path: Path, status: os.stat_result) -> None:
    """status: whose owner, mode and time it has. Raises FileNotFoundError."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        member = _info(name, status)
        content: IO[bytes] = stream
        if size <= _SMALL:
            content = io.BytesIO(stream.read(_SMALL))
            size = content.getbuffer().nbytes
        member.size = size
        packer.add(member, content)


def _info(name: str, status: os.stat_result) -> tarfile.TarInfo:
    """As tar tells of a file, but for its size."""
    member = tarfile.TarInfo(name)
    mode = status.st_mode
    kinds = {stat.S_IFREG: tarfile.REGTYPE, stat.S_IFDIR: tarfile.DIRTYPE, stat.S_IFLNK: tarfile.SYMTYPE}
    member.type = kinds.get(stat.S_IFMT(mode), tarfile.FIFOTYPE)
    member.mode, member.mtime = stat.S_IMODE(mode), status.st_mtime_ns / 1e9
    member.uid, member.gid = status.st_uid, status.st_gid
    member.uname, member.gname = owners.names(status.st_uid, status.st_gid)
    return member
