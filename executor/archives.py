"""Unpacking what users name as artifacts.

An archive is somebody's text: nothing in it is put outside the directory, no link leads out of it, nothing but files,
directories and links is made, and no more is unpacked than there is room for.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import posixpath
import stat
import tarfile
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Callable, Dict, List, Optional, Sequence, Tuple

from prominence.executor import fulldisk
from prominence.executor.ports import Interrupted, Stop

MOST_ENTRIES = 1_000_000
_LONGEST_NAME = 1024 * 1024
_LONGEST_LINK = 4096
_NAMES = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)
"""Kinds of what stands before an entry, and tells its name."""
_PIECE = 1024 * 1024
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_PACKED: Dict[str, Callable[[Any], Any]] = {
    ".gz": gzip.GzipFile,
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, NotImplementedError)


class BadArchive(Exception):
    """It cannot be unpacked, or must not be. `str(error)` is for people."""


def is_archive(name: str) -> bool:
    """Whether a file of this name is unpacked."""
    return name.lower().endswith((*_TARS, ".zip", *_PACKED))


def unpack(file: Path, directory: Path, most: Optional[int], stop: Stop, any_links: bool = False) -> int:
    """Unpack the file into the directory; how many bytes came out. most: so many may.

    any_links: it is what was there before: links may lead where they like, and what is in its way goes, a directory
    with all that is in it. Nothing is put through a link in any case.

    Raises BadArchive, Interrupted.
    """
    name = file.name.lower()
    into = _Into(directory, most, stop, any_links)
    try:
        if name.endswith(_TARS):
            _unpack_tar(file, into)
        elif name.endswith(".zip"):
            _unpack_zip(file, into)
        else:
            suffix = next(suffix for suffix in _PACKED if name.endswith(suffix))
            with _PACKED[suffix](file) as source:
                into.file(file.name[: -len(suffix)], source, 0o644)
    except _BROKEN as error:
        raise BadArchive(f"it is broken, or not what its name says ({error})") from error
    except RuntimeError as error:  # of zipfile
        raise BadArchive("it needs a password") from error
    except OSError as error:
        fulldisk.check(error)
        raise BadArchive(error.strerror or str(error)) from error
    return into.written


def _unpack_tar(file: Path, into: _Into) -> None:
    with tarfile.open(file, "r:*", tarinfo=_Entry) as archive:
        for entry in archive:
            _of_tar(archive, entry, into)


class _Entry(tarfile.TarInfo):
    """tarfile reads what an archive calls a name in one piece, however long it says that it is."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Entry:
        entry = super().frombuf(buf, encoding, errors)
        if entry.type in _NAMES and entry.size > _LONGEST_NAME:
            raise BadArchive("a name in it is too long")
        return entry


def _of_tar(archive: tarfile.TarFile, entry: tarfile.TarInfo, into: _Into) -> None:
    source = archive.extractfile(entry) if entry.isreg() else None
    if source is not None:
        into.file(entry.name, source, entry.mode)
    elif entry.isdir():
        into.directory(entry.name)
    elif entry.issym():
        into.link(entry.name, entry.linkname)
    elif entry.islnk():
        into.same(entry.name, entry.linkname)
    else:
        raise BadArchive(f"{ascii(entry.name)} is neither a file nor a directory nor a link")


def _unpack_zip(file: Path, into: _Into) -> None:
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            _of_zip(archive, entry, into)


def _of_zip(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, into: _Into) -> None:
    mode = entry.external_attr >> 16
    if entry.is_dir():
        into.directory(entry.filename)
    elif stat.S_ISLNK(mode):
        with archive.open(entry) as source:  # of which an archive can make anything that fits into memory, or does not
            into.link(entry.filename, source.read(_LONGEST_LINK).decode("utf-8", "surrogateescape"))
    else:
        with archive.open(entry) as source:
            into.file(entry.filename, source, mode or 0o644)


class _Into:
    """A directory that things are put beneath, each by walking down without following a link."""

    def __init__(self, root: Path, most: Optional[int], stop: Stop, any_links: bool) -> None:
        self._root, self._most, self._stop, self._any_links = root, most, stop, any_links
        self._entries = 0
        self.written = 0

    def directory(self, name: str) -> None:
        os.close(self._enter(self._parts(name)))

    def file(self, name: str, source: IO[bytes], mode: int) -> None:
        where, last = self._place(name)
        try:
            descriptor = os.open(last, _NEW_FILE, 0o600, dir_fd=where)
        finally:
            os.close(where)
        with os.fdopen(descriptor, "wb") as file:
            while piece := source.read(_PIECE):
                self._count(len(piece))
                file.write(piece)
            os.fchmod(file.fileno(), 0o755 if mode & 0o111 else 0o644)

    def link(self, name: str, target: str) -> None:
        parts = self._parts(name)
        led = posixpath.normpath(posixpath.join("/".join(parts[:-1]), target))
        leads_out = target.startswith("/") or led == ".." or led.startswith("../")
        if leads_out and not self._any_links:
            raise BadArchive(f"the link {ascii(name)} leads out of it")
        where, last = self._place(name)
        try:
            os.symlink(target, last, dir_fd=where)
        finally:
            os.close(where)

    def same(self, name: str, target: str) -> None:
        """A hard link to what was unpacked before."""
        *above, source = self._parts(target)
        where, last = self._place(name)
        try:
            there = self._enter(above)
            try:
                os.link(source, last, src_dir_fd=there, dst_dir_fd=where, follow_symlinks=False)
            finally:
                os.close(there)
        finally:
            os.close(where)

    def _place(self, name: str) -> Tuple[int, str]:
        """The directory that the entry goes into, and its name there, where nothing is any more."""
        *above, last = self._parts(name)
        where = self._enter(above)
        try:
            with suppress(FileNotFoundError):
                self._make_room(where, above, last)
        except OSError:
            os.close(where)
            raise
        return where, last

    def _make_room(self, where: int, above: Sequence[str], last: str) -> None:
        """A directory that is in the way goes with all that is in it where this is a job's own from before."""
        try:
            os.unlink(last, dir_fd=where)
        except (IsADirectoryError, PermissionError):
            if not self._any_links:
                raise
            import shutil  # rarely: each import keeps jobs waiting

            shutil.rmtree(self._root.joinpath(*above, last))

    def _parts(self, name: str) -> List[str]:
        self._entries += 1
        if self._entries > MOST_ENTRIES:
            raise BadArchive(f"it has more than {MOST_ENTRIES} entries")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\0" in name:
            raise BadArchive(f"{ascii(name)} leads out of it")
        return parts

    def _enter(self, parts: Sequence[str]) -> int:
        here = os.open(self._root, _DIRECTORY)
        try:
            for part in parts:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=here)
                below = self._open(part, here)
                os.close(here)
                here = below
        except OSError:
            os.close(here)
            raise
        return here

    def _open(self, part: str, here: int) -> int:
        """The directory. What is in its way goes as above."""
        try:
            return os.open(part, _DIRECTORY, dir_fd=here)
        except OSError as error:
            if not self._any_links or error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
        os.unlink(part, dir_fd=here)
        os.mkdir(part, 0o755, dir_fd=here)
        return os.open(part, _DIRECTORY, dir_fd=here)

    def _count(self, size: int) -> None:
        if self._stop.requested:
            raise Interrupted
        self.written += size
        if self._most is not None and self.written > self._most:
            raise BadArchive(f"more than the job's disk of {self._most // (1024 * 1024)} MiB comes out of it")
