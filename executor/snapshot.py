"""A copy of what is in the running job's home, sent to where the API wants it."""

from __future__ import annotations

import os
import posixpath
import tarfile
import tempfile
from pathlib import Path

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
            packing.pack(tree, _called(path), archive, Stop())
            size = archive.stat().st_size
            if order.most is not None and size > order.most:
                return Answer(
                    refusal=Refusal.TOO_LARGE, detail=f"it has {size} bytes packed, and may have {order.most}"
                )
            web.put(Address(order.url, dict(order.headers)), archive, Stop())
    except (OSError, tarfile.TarError, TransferFailed, Interrupted) as error:
        return Answer(refusal=Refusal.FAILED, detail=_why(error))
    finally:
        os.close(tree)
    return Answer(exit_code=0)


def _why(error: Exception) -> str:
    """In the system's words, where it has any."""
    return getattr(error, "strerror", None) or str(error)


def _called(path: str) -> str:
    name = posixpath.basename(posixpath.normpath(path))
    return "home" if name in (".", "..") else name
