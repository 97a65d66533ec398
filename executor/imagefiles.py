"""What is in a file that holds a container image: Apptainer's own, or what `docker save` writes.

It is somebody's text. Of the second kind no more is believed than which pieces are the layers and what is to be run:
names, and all else that is in it, are left out.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import posixpath
import tarfile
import zlib
from pathlib import Path
from typing import IO, Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from prominence.executor import fulldisk
from prominence.executor.ports import Interrupted, Stop

MOST_LAYERS = 125
"""Docker's own limit."""
_MOST_ENTRIES = 100_000
_LONGEST_TEXT = 4 * 1024 * 1024
_LONGEST_COMMAND = 64 * 1024
_MOST_LINKS = 8
_PIECE = 1024 * 1024
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SIF, _SIF_AT = b"SIF_MAGIC\0", 32
_SQUASHFS, _SQUASHFS_AT = b"hsqs", (0, len("#!/usr/bin/env run-singularity\n"))
_TAR, _TAR_AT = b"ustar", 257
_BROKEN = (tarfile.TarError, zlib.error, EOFError, ValueError, RecursionError)


class NotAnImage(Exception):
    """No container can be run from the file. `str(error)` is for people."""


class Layer(NamedTuple):
    """A part of a file: an uncompressed tar archive."""

    offset: int
    size: int


class Saved(NamedTuple):
    """An image that docker has saved. file: where its layers are. program, arguments: what it runs by itself.

    env: NAME=VALUE. architecture: as Docker spells it, "" if it does not say.
    """

    file: Path
    layers: Tuple[Layer, ...]
    program: Tuple[str, ...] = ()
    arguments: Tuple[str, ...] = ()
    env: Tuple[str, ...] = ()
    architecture: str = ""


class ImageFile(NamedTuple):
    """path: of a plain archive, or of an image of Apptainer's. sha256: of the file as it came.

    beside: a path of the job's own, after which is called what is made of the file. saved: what is in the archive; None
    where it is an image of Apptainer's.
    """

    path: Path
    sha256: str
    beside: Path
    saved: Optional[Saved] = None


def look(file: Path, sha256: str, most: Optional[int], stop: Stop, beside: Optional[Path] = None) -> ImageFile:
    """What is in the file, which is unpacked where it has to be. most: bytes that this may take.

    beside: as in `ImageFile`, where the file is not the job's own; otherwise what is unpacked takes its place.

    Raises NotAnImage, Interrupted.
    """
    ours = beside is None
    beside = file if beside is None else beside
    try:
        if _is_apptainers(file):
            return ImageFile(file, sha256, beside)
        room = _Room(most, stop)
        if _begins_with(file, _GZIP):
            packed, file = file, beside.with_name(f"{beside.name}.plain")
            with gzip.open(packed, "rb") as source, open(file, "wb") as target:
                room.copy(source, target)
            if ours:
                packed.unlink()
        if not _begins_with(file, _TAR, _TAR_AT):
            raise NotAnImage("it is neither an image of Apptainer's nor what docker save writes")
        with _Careful(file) as opened, tarfile.open(fileobj=opened, mode="r:") as archive:
            return ImageFile(file, sha256, beside, _Archive(archive, file, beside).saved(room))
    except _BROKEN as error:
        raise NotAnImage(f"it is broken, or not what its name says ({error})") from error
    except OSError as error:
        fulldisk.check(error)
        raise NotAnImage(error.strerror or str(error)) from error


class _Archive:
    """What docker has saved, piece by piece."""

    def __init__(self, archive: tarfile.TarFile, file: Path, beside: Path) -> None:
        self._archive, self._file, self._beside = archive, file, beside
        self._entries: Dict[str, tarfile.TarInfo] = {}
        for entry in archive:
            if len(self._entries) >= _MOST_ENTRIES:
                raise NotAnImage(f"it has more than {_MOST_ENTRIES} entries")
            self._entries[posixpath.normpath(entry.name)] = entry

    def saved(self, room: _Room) -> Saved:
        manifest = self._manifest()
        names = manifest.get("Layers")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise NotAnImage("it does not say which layers its image has")
        if not 1 <= len(names) <= MOST_LAYERS:
            raise NotAnImage(f"its image has {len(names)} layers; there may be 1 to {MOST_LAYERS}")
        config = self._json(str(manifest.get("Config")))
        if not isinstance(config, dict) or config.get("os", "linux") != "linux":
            raise NotAnImage("its image is not one for Linux")
        said = config.get("config") or {}
        if not isinstance(said, dict):
            raise NotAnImage("it does not say what its image runs")
        file, layers = self._layers([self._entry(name) for name in names], room)
        architecture = config.get("architecture")
        program, arguments, env = (_texts(said.get(name)) for name in ("Entrypoint", "Cmd", "Env"))
        if sum(map(len, (*program, *arguments, *env))) > _LONGEST_COMMAND:
            raise NotAnImage(f"its command and environment have more than {_LONGEST_COMMAND} characters")
        return Saved(
            file=file,
            layers=layers,
            program=program,
            arguments=arguments,
            env=env,
            architecture=architecture if isinstance(architecture, str) else "",
        )

    def _manifest(self) -> Dict[str, Any]:
        if "manifest.json" not in self._entries:
            raise NotAnImage("it is an archive, but not what docker save writes")
        found = self._json("manifest.json")
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise NotAnImage("it does not say which images it holds")
        if len(found) != 1:
            raise NotAnImage(f"it holds {len(found)} images, and one is needed")
        return dict(found[0])

    def _json(self, name: str) -> Any:
        entry = self._entry(name)
        source = self._archive.extractfile(entry)
        if source is None or entry.size > _LONGEST_TEXT:
            raise NotAnImage(f"{ascii(name)} in it is too long")
        return json.loads(source.read())

    def _entry(self, name: str) -> tarfile.TarInfo:
        """A whole file in it, behind the links that docker writes for layers that are there twice."""
        name = posixpath.normpath(name)
        for _ in range(_MOST_LINKS):
            entry = self._entries.get(name)
            if entry is None:
                break
            if entry.isreg() and not entry.issparse():
                if entry.offset_data + entry.size > os.stat(self._file).st_size:
                    raise NotAnImage("it is broken: its end is missing")
                return entry
            above = posixpath.dirname(name) if entry.issym() else ""
            name = posixpath.normpath(posixpath.join(above, entry.linkname))
        raise NotAnImage(f"it has no file {ascii(name)}")

    def _layers(self, entries: Sequence[tarfile.TarInfo], room: _Room) -> Tuple[Path, Tuple[Layer, ...]]:
        """Where they are: in the archive itself, or unpacked beside it, if any of them is packed."""
        heads = [self._head(entry) for entry in entries]
        if any(head.startswith(_ZSTD) for head in heads):
            raise NotAnImage("its layers are packed with zstd, and must be as they are, or packed with gzip")
        if not any(head.startswith(_GZIP) for head in heads):
            return self._file, tuple(Layer(entry.offset_data, entry.size) for entry in entries)
        file = self._beside.with_name(f"{self._beside.name}.layers")
        layers: List[Layer] = []
        with open(file, "wb") as target:
            for entry, head in zip(entries, heads):
                source, start = self._opened(entry), target.tell()
                if head.startswith(_GZIP):
                    with gzip.GzipFile(fileobj=source) as unpacked:
                        room.copy(unpacked, target)
                else:
                    room.copy(source, target)
                layers.append(Layer(start, target.tell() - start))
        return file, tuple(layers)

    def _head(self, entry: tarfile.TarInfo) -> bytes:
        return self._opened(entry).read(len(_ZSTD))

    def _opened(self, entry: tarfile.TarInfo) -> IO[bytes]:
        source = self._archive.extractfile(entry)
        if source is None:
            raise NotAnImage("one of its layers is no file")
        return source


class _Room:
    """For so many bytes more; None: for any number."""

    def __init__(self, most: Optional[int], stop: Stop) -> None:
        self._left, self._most, self._stop = most, most, stop

    def copy(self, source: Any, target: IO[bytes]) -> None:
        for piece in iter(lambda: source.read(_PIECE), b""):
            if self._stop.requested:
                raise Interrupted
            if self._left is not None:
                self._left -= len(piece)
                if self._left < 0:
                    raise NotAnImage(
                        f"more than the {self._most} bytes that the job's disk has room for come out of it"
                    )
            target.write(piece)


class _Careful(io.FileIO):
    """A file for tarfile, which reads what an archive calls a name in one piece, however long it says that it is."""

    def read(self, size: Optional[int] = -1) -> bytes:
        if size is None or not 0 <= size <= _LONGEST_TEXT:
            raise NotAnImage("it is broken: a name in it is too long")
        return super().read(size) or b""


def _is_apptainers(file: Path) -> bool:
    return _begins_with(file, _SIF, _SIF_AT) or any(_begins_with(file, _SQUASHFS, at) for at in _SQUASHFS_AT)


def _begins_with(file: Path, magic: bytes, at: int = 0) -> bool:
    with open(file, "rb") as opened:
        opened.seek(at)
        return opened.read(len(magic)) == magic


def _texts(value: Any) -> Tuple[str, ...]:
    """A list of texts in an image's configuration, which may be missing or null."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise NotAnImage("it does not say what its image runs")
    return tuple(value)
