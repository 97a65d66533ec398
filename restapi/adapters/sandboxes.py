"""Sandboxes on the access point's disk: one directory for each job, beneath one root."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from prominence.core import logs
from prominence.core.errors import Unavailable
from prominence.restapi.ports import Unusable

log = logs.get(__name__)

SMALL = 1024 * 1024
"""Bytes that `read` takes into memory."""

_UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FULL = (errno.ENOSPC, errno.EDQUOT)


class LocalSandboxes:
    """Directories for our own account only; HTCondor writes into them as the same account."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def make(self, uid: str, files: Mapping[str, str]) -> str:
        directory = self._directory(uid)
        try:
            directory.mkdir(mode=0o700)
        except OSError as error:
            raise _no_room(uid, error) from error
        try:
            for name, text in files.items():
                _write(directory / name, text)
        except OSError as error:
            self.discard(uid)
            raise _no_room(uid, error) from error
        return str(directory)

    def discard(self, uid: str) -> None:
        shutil.rmtree(self._directory(uid), ignore_errors=True)

    def exists(self, uid: str) -> bool:
        return self._directory(uid).is_dir()

    def read(self, uid: str, name: str) -> bytes | None:
        file = self.open(uid, name)
        if file is None:
            return None
        with file:
            content = file.read(SMALL + 1)
        if len(content) > SMALL:
            raise Unusable(f"{name} is larger than {SMALL} bytes")
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

    def _directory(self, uid: str) -> Path:
        if not _UID.fullmatch(uid):
            raise Unusable(f"{uid!r} is not the uid of a job")
        return self._root / uid


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode())


def _no_room(uid: str, error: OSError) -> Unavailable:
    log.error("a sandbox could not be made", job=uid, error=str(error))
    if error.errno in _FULL:
        return Unavailable("The service has no room for another job's files.")
    return Unavailable("The service cannot store the job's files at the moment.")
