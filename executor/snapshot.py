"""A copy of what is in the running job's home, sent to where the API wants it."""

from __future__ import annotations

import os
import posixpath
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Optional

from prominence.core.orders import Answer, Order, Refusal
from prominence.executor import beneath, packing
from prominence.executor.environment import HOME
from prominence.executor.ports import Interrupted, Stop
from prominence.executor.transfer import Address, TransferFailed, Web


def take(order: Order, home: Path, sandbox: Path, web: Web) -> Answer:
    """Pack the file or directory that the order names, and send the archive. sandbox: where it may be made."""
    path = posixpath.relpath(order.path, HOME) if order.path.startswith("/") else order.path
    try:
        tree = beneath.open_any(home, path)
    except (OSError, ValueError) as error:  # the latter for a NUL character, or what has no bytes
        return Answer(refusal=Refusal.NO_SUCH_FILE, detail=_why(error))
    try:
        with tempfile.TemporaryDirectory(dir=sandbox, prefix="snapshot-") as scratch:
            archive = Path(scratch) / "snapshot.tgz"
            room = _Room(archive, order.most)
            with suppress(Interrupted):  # what went on until all is packed might fill the worker's disk
                packing.pack(tree, _called(path), archive, room)
            if room.requested:
                detail = f"packed it has more than the {order.most} bytes that it may have"
                return Answer(refusal=Refusal.TOO_LARGE, detail=detail)
            web.put(Address(order.url, dict(order.headers)), archive, Stop())
    except (OSError, tarfile.TarError, TransferFailed, Interrupted) as error:
        return Answer(refusal=Refusal.FAILED, detail=_why(error))
    finally:
        os.close(tree)
    return Answer(exit_code=0)


class _Room(Stop):
    """Requested as soon as the file has more bytes than so many; None: never."""

    def __init__(self, file: Path, most: Optional[int]) -> None:
        super().__init__()
        self._file, self._most = file, most

    @property
    def requested(self) -> bool:
        return self._most is not None and self._file.stat().st_size > self._most


def _why(error: Exception) -> str:
    """In the system's words, where it has any."""
    return getattr(error, "strerror", None) or str(error)


def _called(path: str) -> str:
    name = posixpath.basename(posixpath.normpath(path))
    return "home" if name in (".", "..") else name
