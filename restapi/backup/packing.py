"""Members into an archive, and out of it again: tar's words in ours. It is a stream, and need not be a file."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from prominence.core.errors import Rejected
from prominence.restapi.backup import manifest
from prominence.restapi.backup.manifest import DIRECTORY, FILE, LINK, Cut, Member, PartSum, Sum

_PIECE = 1024 * 1024
_TYPES = {FILE: tarfile.REGTYPE, DIRECTORY: tarfile.DIRTYPE, LINK: tarfile.SYMTYPE}
_KINDS = {tarfile.REGTYPE: FILE, tarfile.AREGTYPE: FILE, tarfile.DIRTYPE: DIRECTORY, tarfile.SYMTYPE: LINK}
_ENDS = "surrogateescape"  # a job may give its files any name that is none


class Packer:
    """Writes an archive, part after part."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._sums: dict[str, Sum] = {}
        self._cut: list[Cut] = []

    def add(self, info: tarfile.TarInfo, content: IO[bytes] | None = None) -> None:
        """The next member. Where it becomes shorter meanwhile, zeros stand for the rest, and the manifest says so."""
        member = member_of(info)
        known = _Known(content or io.BytesIO(), info.size)
        self._tar.addfile(info, cast(IO[bytes], known) if info.size else None)
        self._sums.setdefault(member.part, Sum(member.part)).add(member, known.digest.hexdigest())
        if known.size < info.size:
            self._cut.append(Cut(name=member.name, size=known.size))

    def add_text(self, name: str, text: bytes) -> None:
        """A file that is made here."""
        self.add(info(name, FILE, 0o600, len(text)), io.BytesIO(text))

    def sums(self) -> tuple[PartSum, ...]:
        """Of all parts so far."""
        return tuple(one.result() for one in self._sums.values())

    def cut(self) -> tuple[Cut, ...]:
        """What has become shorter while it was copied."""
        return tuple(self._cut)

    def finish(self, last: manifest.Manifest) -> None:
        """Nothing comes after it."""
        content = manifest.written(last)
        self._tar.addfile(info(manifest.NAME, FILE, 0o600, len(content)), io.BytesIO(content))


class _Known:
    """A file of a promised length, whose sum and real size are known when it has been read."""

    def __init__(self, content: IO[bytes], promised: int) -> None:
        self._content, self._left, self._has_ended = content, promised, False
        self.digest = hashlib.sha256()
        self.size = 0

    def read(self, size: int) -> bytes:
        wanted = min(size, self._left)
        piece = b"" if self._has_ended else self._content.read(wanted)
        self._has_ended = len(piece) < wanted  # what is written there later does not belong to this
        self.size += len(piece)
        piece = piece.ljust(wanted, b"\0")
        self._left -= wanted
        self.digest.update(piece)
        return piece


@contextmanager
def packed(stream: IO[bytes]) -> Iterator[Packer]:
    """An archive that is written to the stream."""
    with (
        gzip.GzipFile("", "wb", 1, stream) as inner,
        tarfile.open(fileobj=inner, mode="w|", format=tarfile.PAX_FORMAT, errors=_ENDS) as tar,
    ):
        yield Packer(tar)


@contextmanager
def unpacked(stream: IO[bytes]) -> Iterator[Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]]:
    """What is in an archive, in its order, each to be read before the next. Raises Rejected for what is none."""
    try:
        with (
            gzip.GzipFile(fileobj=stream) as inner,
            tarfile.open(fileobj=inner, mode="r|", errors=_ENDS) as tar,
        ):
            yield ((one, tar.extractfile(one) if one.isreg() else None) for one in tar)
            for _ in pieces(cast(IO[bytes], inner)):  # up to the sum at its end
                pass
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, ValueError, OverflowError) as error:
        raise Rejected.because(f"the file is no backup, or a damaged one: {error}") from error


def member_of(one: tarfile.TarInfo) -> Member:
    """In our words. Raises Rejected for what we put into no archive: devices, pipes, hard links."""
    if (kind := _KINDS.get(one.type)) is None:
        raise Rejected.because("is neither a file nor a directory nor a link", ascii(one.name))
    owner = f"{one.uid}:{one.gid}:{one.uname}:{one.gname}"
    return Member(one.name, kind, one.mode, owner, one.size, one.linkname if kind == LINK else "")


def info(name: str, kind: str, mode: int, size: int = 0) -> tarfile.TarInfo:
    """tar's word for a member that is root's and of now."""
    made = tarfile.TarInfo(name)
    made.type, made.mode, made.size, made.mtime = _TYPES[kind], mode, size, time.time()
    return made


def pieces(content: IO[bytes]) -> Iterator[bytes]:
    """All of it, never much at once."""
    while piece := content.read(_PIECE):
        yield piece
