"""Sandboxes on the access point's disk: one directory for each job, beneath one root."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from prominence.core import logs, units
from prominence.core.errors import Conflict, NoRoom, Unavailable
from prominence.restapi.ports import IS_BEING_CHANGED, LARGEST_READ, Unusable

log = logs.get(__name__)

_UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLACE = re.compile(r"(?:0|[1-9][0-9]{0,5})(?:\.(?:0|[1-9][0-9]{0,5}))?")
_FULL = (errno.ENOSPC, errno.EDQUOT)


class LocalSandboxes:
    """Directories for our own account only; HTCondor writes into them as the same account.

    min_free_mib: what must be free on their disk before another is made. It is kept for the jobs there are: they write
    output, and HTCondor its queue.
    """

    def __init__(self, root: Path, min_free_mib: int = 0) -> None:
        self._root = root.absolute()
        self._min_free_mib = min_free_mib

    def make(
        self, uid: str, files: Mapping[str, str], within: Mapping[str, Mapping[str, str]] = MappingProxyType({})
    ) -> str:
        directory = self._directory(uid)
        try:
            self._check_room()
            directory.mkdir(mode=0o700)
        except OSError as error:
            raise _not_made(uid, error) from error
        try:
            _fill(directory, files)
            for place, own in within.items():
                os.mkdir(f"{directory}/{place}", mode=0o700)  # there may be many, and a Path takes time to make
                if own:
                    _fill(directory / place, own)
        except OSError as error:
            self.discard(uid)
            raise _not_made(uid, error) from error
        return str(directory)

    def replace(self, uid: str, name: str, text: str) -> None:
        directory = self._directory(uid)
        new = f".{name}.{secrets.token_hex(8)}"
        try:
            _write(directory / new, text)
            os.replace(directory / new, directory / name)
        except OSError as error:
            (directory / new).unlink(missing_ok=True)
            raise _not_made(uid, error) from error

    def add(self, uid: str, name: Callable[[int], str], text: str) -> int:
        directory = self._directory(uid)
        new = directory / f".{secrets.token_hex(8)}"
        try:
            _write(new, text)
            # Unlike another name for a file, a second one is given only where there is none.
            return next(number for number in itertools.count(1) if _linked(new, directory / name(number)))
        except OSError as error:
            raise _not_made(uid, error) from error
        finally:
            new.unlink(missing_ok=True)

    @contextmanager
    def alone(self, uid: str) -> Iterator[None]:
        with ExitStack() as held:
            try:
                descriptor = os.open(self._directory(uid), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
                held.callback(os.close, descriptor)  # and with it the lock goes, also where this process dies
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except FileNotFoundError:
                pass
            except BlockingIOError:
                raise Conflict(IS_BEING_CHANGED) from None
            except OSError as error:
                raise _not_made(uid, error) from error
            yield

    def discard(self, uid: str) -> None:
        shutil.rmtree(self._directory(uid), ignore_errors=True)

    def last_changes(self) -> dict[str, datetime]:
        changes = {}
        try:
            for entry in os.scandir(self._root):
                if _UID.fullmatch(entry.name):
                    with suppress(FileNotFoundError, NotADirectoryError):  # discarded in this moment; none of ours
                        changes[entry.name] = datetime.fromtimestamp(max(_changed_at(entry)), UTC)
        except OSError as error:
            raise Unavailable("The service cannot read its jobs' files at the moment.") from error
        return changes

    def exists(self, uid: str) -> bool:
        return self._directory(uid).is_dir()

    def directory(self, uid: str) -> str:
        return str(self._directory(uid))

    def read(self, uid: str, name: str) -> bytes | None:
        file = self.open(uid, name)
        if file is None:
            return None
        with file:
            content = file.read(LARGEST_READ + 1)
        if len(content) > LARGEST_READ:
            raise Unusable(f"{name} is larger than {LARGEST_READ} bytes")
        return content

    def open(self, uid: str, name: str) -> BinaryIO | None:
        try:
            # Without waiting, should somebody have put a pipe there.
            descriptor = os.open(
                self._directory(uid) / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            )
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unusable(f"{name} cannot be opened: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise Unusable(f"{name} is not a regular file")
        return os.fdopen(descriptor, "rb")

    def _check_room(self) -> None:
        disk = os.statvfs(self._root)
        refusal = too_full(units.mib_of_bytes(disk.f_bavail * disk.f_frsize), self._min_free_mib)
        if refusal:
            log.warning("a job was refused for want of room", directory=str(self._root), refusal=refusal)
            raise NoRoom(refusal)

    def _directory(self, uid: str) -> Path:
        array, slash, place = uid.partition("/")
        if not _UID.fullmatch(array) or (slash and not _PLACE.fullmatch(place)):
            raise Unusable(f"{uid!r} is not the uid of a job")
        return self._root / uid


def too_full(free_mib: int, min_free_mib: int) -> str:
    """Why a disk with so much free takes no new job; "" when it does."""
    if free_mib >= min_free_mib:
        return ""
    return (
        f"The service takes no new jobs for now: {free_mib} MiB of its disk are free, and {min_free_mib} MiB are kept "
        "for the jobs that it has, which go on. Its operator has to make room."
    )


def _changed_at(directory: os.DirEntry[str]) -> Iterator[float]:
    """When it and those of an array's members in it were changed."""
    yield directory.stat(follow_symlinks=False).st_mtime
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            with suppress(FileNotFoundError):
                yield entry.stat(follow_symlinks=False).st_mtime


def _linked(file: Path, name: Path) -> bool:
    """Whether the file has this name now too, which was free."""
    try:
        os.link(file, name, follow_symlinks=False)
    except FileExistsError:
        return False
    return True


def _fill(directory: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        _write(directory / name, text)


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode())


def _not_made(uid: str, error: OSError) -> Unavailable:
    log.error("a sandbox could not be made", job=uid, error=str(error))
    if error.errno in _FULL:
        return NoRoom("The service has no room for another job's files. Its operator has to make room.")
    return Unavailable("The service cannot store the job's files at the moment.")
