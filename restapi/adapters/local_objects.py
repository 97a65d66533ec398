"""ObjectStore as files on this machine, behind signed addresses that the API serves itself.

    ROOT/objects/+uploads/+alice/-data.tgz     an object; the marks keep a folder and an object of one name apart
    ROOT/incoming/                             what is on its way in

An object is written beside, checked, synced and renamed into its place, so that it is there whole or not at all, also
after a crash. Its checksum is kept in an attribute of the file, where the file system has such.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, BinaryIO
from urllib.parse import quote, urlencode

from prominence.core import logs
from prominence.core.errors import NoRoom, Rejected, TooLarge, Unavailable
from prominence.restapi.areas import owners_folder
from prominence.restapi.objects import BROKEN_OFF, SERVED_AT, Form, Put, Reach, Stored, Terms, check_together
from prominence.restapi.signing import Act, Permission, permission, query

log = logs.get(__name__)

_SHA256 = "user.prominence.sha256"
_PIECE = 1024 * 1024
_TRIES = 10
_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_ATTRIBUTES = (errno.ENOTSUP, errno.EPERM, errno.ENODATA)


class LocalObjects:
    """Both `ObjectStore` and `ServedObjects`. secret: what addresses are signed with. bases: the API's address as
    either side knows it. keep_free: bytes of the disk that uploads must leave.
    """

    def __init__(
        self, root: Path, secret: bytes, bases: Mapping[Reach, str], keep_free: int, now: Callable[[], datetime]
    ) -> None:
        self._objects, self._incoming = root.absolute() / "objects", root.absolute() / "incoming"
        self._secret, self._bases, self._keep_free, self._now = secret, bases, keep_free, now

    def url_to_get(self, name: str, lifetime_s: int, reach: Reach) -> str:
        return self._url(Permission("get", name, self._until(lifetime_s)), reach)

    def url_to_put(self, name: str, terms: Terms, reach: Reach) -> Put:
        until = self._until(terms.lifetime_s)
        url = self._url(Permission.to_put(name, until, terms), reach)
        return Put(url, tells_checksum=True)

    def form_to_post(self, name: str, terms: Terms, reach: Reach) -> Form | None:
        return None

    def stat(self, name: str) -> Stored | None:
        with _translated():
            try:
                file = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            try:
                return _stored(name, file)
            finally:
                os.close(file)

    def list(self, folder: str) -> list[Stored]:
        with _translated():
            parts = folder.split("/") if folder else []
            found = sorted(_walk(_folder(self._objects, parts), "".join(f"{part}/" for part in parts)))
        return [Stored(name, status.st_size, _moment(status)) for name, status in found]

    def delete(self, name: str) -> None:
        path = self._path(name)
        with _translated():
            with suppress(FileNotFoundError):
                path.unlink()
            with suppress(OSError):  # not empty, or somebody else was faster
                for folder in path.relative_to(self._objects).parents[:-1]:
                    (self._objects / folder).rmdir()

    def permission(self, act: Act, name: str, given: Mapping[str, str]) -> Permission:
        return permission(act, name, given, self._secret, self._now().timestamp())

    def open(self, name: str) -> tuple[BinaryIO, Stored, str] | None:
        with _translated():
            try:
                file = open(self._path(name), "rb")  # noqa: SIM115 - the caller's
            except FileNotFoundError:
                return None
            status = os.fstat(file.fileno())
            # Content is never changed, only replaced by another file.
            tag = f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"
            return file, _stored(name, file.fileno()), tag

    def tidy(self, before: datetime) -> None:
        with _translated():
            for partial in self._incoming.glob("*"):
                with suppress(FileNotFoundError):
                    if partial.stat().st_mtime < before.timestamp():
                        partial.unlink()

    def receive(self, allowed: Permission, announced: int | None, content: IO[bytes]) -> str:
        _check_size(allowed, announced, whole=announced is not None)
        with _translated():
            self._incoming.mkdir(parents=True, exist_ok=True)
            self._leave_room(announced or 0)
            partial = self._incoming / uuid.uuid4().hex
            file = open(partial, "xb")  # noqa: SIM115 - closed below, before it is renamed
        try:
            with file:
                size, sha256 = self._copy(allowed, content, file)
                if announced not in (None, size):
                    raise Rejected.because(BROKEN_OFF)
                _check(allowed, size, sha256)
                with _translated():
                    _finish(file, sha256)
            with self._room_for(allowed, size), _translated():
                _rename(partial, self._path(allowed.name))
        finally:
            partial.unlink(missing_ok=True)  # what has become an object is not called so any more
        log.info("object stored", name=allowed.name, size=size)
        return sha256

    @contextmanager
    def _room_for(self, allowed: Permission, size: int) -> Iterator[None]:
        """One at a time, so that of objects that come at once not each gets the last room. Raises QuotaReached."""
        if allowed.together is None:
            yield
            return
        with _translated():
            self._objects.mkdir(parents=True, exist_ok=True)
            turn = os.open(self._objects, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(turn, fcntl.LOCK_EX)
            check_together(allowed.name, size, allowed.together, self.list(owners_folder(allowed.name)))
            yield
        finally:
            os.close(turn)

    def _copy(self, allowed: Permission, content: IO[bytes], file: BinaryIO) -> tuple[int, str]:
        size, digest = 0, hashlib.sha256()
        while piece := content.read(_PIECE):
            size += len(piece)
            _check_size(allowed, size)
            digest.update(piece)
            with _translated():
                self._leave_room(len(piece))
                file.write(piece)
        return size, digest.hexdigest()

    def _leave_room(self, size: int) -> None:
        disk = os.statvfs(self._incoming)
        if disk.f_bavail * disk.f_frsize - size < self._keep_free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _url(self, permitted: Permission, reach: Reach) -> str:
        return f"{self._bases[reach]}{SERVED_AT}{quote(permitted.name)}?{urlencode(query(permitted, self._secret))}"

    def _until(self, lifetime_s: int) -> int:
        return int(self._now().timestamp()) + lifetime_s

    def _path(self, name: str) -> Path:
        *folders, last = name.split("/")
        return _folder(self._objects, folders) / f"-{last}"


def _folder(root: Path, parts: list[str]) -> Path:
    return root.joinpath(*(f"+{part}" for part in parts))


def _walk(folder: Path, above: str) -> Iterator[tuple[str, os.stat_result]]:
    """Names of objects, and what the file system knows of them. What goes away meanwhile is not there."""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.startswith("+"):
            yield from _walk(folder / entry.name, f"{above}{entry.name[1:]}/")
        else:
            with suppress(FileNotFoundError):
                yield above + entry.name[1:], entry.stat()


def _stored(name: str, file: int) -> Stored:
    status = os.fstat(file)
    try:
        sha256 = os.getxattr(file, _SHA256).decode()
    except OSError as error:
        if error.errno not in _NO_ATTRIBUTES:
            raise
        sha256 = None
    return Stored(name, status.st_size, _moment(status), sha256)


def _moment(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime, UTC)


def _check_size(allowed: Permission, size: int | None, whole: bool = False) -> None:
    """Of what has come so far, or of the whole."""
    if size is not None and allowed.largest is not None and size > allowed.largest:
        raise TooLarge(f"It is larger than the {allowed.largest} bytes that there is room for.")
    if size is not None and allowed.size is not None and (size > allowed.size or (whole and size < allowed.size)):
        raise Rejected.because(f"The file does not have the {allowed.size} bytes that were announced.")


def _check(allowed: Permission, size: int, sha256: str) -> None:
    _check_size(allowed, size, whole=True)
    if allowed.sha256 is not None and sha256 != allowed.sha256:
        raise Rejected.because(f"What arrived has the SHA-256 checksum {sha256}, not the announced {allowed.sha256}.")


def _finish(file: BinaryIO, sha256: str) -> None:
    try:
        os.setxattr(file.fileno(), _SHA256, sha256.encode())
    except OSError as error:
        if error.errno not in _NO_ATTRIBUTES:
            raise
    file.flush()
    os.fsync(file.fileno())


def _rename(partial: Path, target: Path) -> None:
    for left in reversed(range(_TRIES)):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(partial, target)
            break
        except FileNotFoundError:  # a folder that became empty was taken away in this moment
            if not left:
                raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _translated() -> Iterator[None]:
    """What the disk says, in our words."""
    try:
        yield
    except OSError as error:
        log.error("the object store's disk did not do what it was asked", error=str(error))
        if error.errno in _FULL:
            raise NoRoom("The service's disk has no room for more files. Its operator has to make room.") from error
        raise Unavailable("The service cannot reach its files at the moment.") from error
