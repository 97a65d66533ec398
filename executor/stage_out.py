"""After the tasks, also when one has failed: the files and directories that the job keeps, to the object store."""

from __future__ import annotations

import hashlib
import os
import tarfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

from prominence.core.plan import ExecutionPlan
from prominence.core.reasons import Reason
from prominence.core.report import Outcome, TransferReport
from prominence.executor import beneath, exits, fulldisk, packing
from prominence.executor.failures import STOPPED, Failure
from prominence.executor.ports import Interrupted, Stop
from prominence.executor.transfer import Objects, QuotaReached, Refused, TransferFailed, Web, patiently

Progress = Callable[[Tuple[TransferReport, ...]], None]

SUCCESS, NO_SUCH_FILE, NOT_PACKED, NOT_SENT = "success", "failedNoSuchFile", "failedTarCreation", "failedUpload"

_PIECE = 1024 * 1024


def stage_out(
    plan: ExecutionPlan, home: Path, scratch: Path, web: Web, objects: Objects, stop: Stop, progress: Progress
) -> Optional[Failure]:
    """Keep what there is of them; why not all of it could be. scratch: where an archive may be made."""
    keeper = _Keeper(home, scratch, web, objects, stop, plan.patience_s)
    done: List[TransferReport] = []
    failure: Optional[Failure] = None
    wanted: List[Tuple[Callable[[str], _Sent], str]] = [(keeper.file, name) for name in _files(plan, home)]
    wanted += [(keeper.directory, path) for path in plan.output_dirs]
    for keep, name in wanted:
        started = time.monotonic()
        status, sent = SUCCESS, _Sent(None, None)
        try:
            sent = keep(name)
        except _Lost as error:
            status = error.status
            failure = failure or _failed(error.reason, name, str(error))
        except QuotaReached as error:
            status, failure = NOT_SENT, failure or _failed(Reason.OUTPUT_NOT_KEPT, name, str(error))
        except TransferFailed as error:
            status, failure = NOT_SENT, failure or _failed(Reason.OUTPUT_UPLOAD_FAILED, name, str(error))
        except Interrupted:
            return STOPPED
        done.append(TransferReport(name, status, round(time.monotonic() - started, 3), *sent))
        progress(tuple(done))
    return failure


def _files(plan: ExecutionPlan, home: Path) -> List[str]:
    """All that match, each once; of what nothing matches the pattern itself."""
    found: Dict[str, None] = {}
    for pattern in plan.output_files:
        found.update(dict.fromkeys(beneath.matches(home, pattern) or [pattern]))
    return list(found)


class _Sent(NamedTuple):
    size: Optional[int]
    sha256: Optional[str]


class _Lost(Exception):
    """There is nothing to keep, or it cannot be read."""

    def __init__(self, status: str, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.status, self.reason = status, reason


class _Keeper:
    def __init__(self, home: Path, scratch: Path, web: Web, objects: Objects, stop: Stop, patience_s: float) -> None:
        self._patience_s = patience_s
        self._store_tells = True
        self._home, self._scratch, self._web, self._objects, self._stop = home, scratch, web, objects, stop

    def file(self, name: str) -> _Sent:
        """Keep a file."""
        if name.encode("utf-8", "replace").decode() != name:
            raise _Lost(NOT_SENT, Reason.OUTPUT_NOT_FOUND, "its name is not in UTF-8")
        try:
            descriptor = beneath.open_file(self._home, name)
        except FileNotFoundError as error:
            raise _Lost(NO_SUCH_FILE, Reason.OUTPUT_NOT_FOUND, "there is no such file") from error
        except OSError as error:
            raise _Lost(NO_SUCH_FILE, Reason.OUTPUT_NOT_FOUND, error.strerror or str(error)) from error
        try:
            # By its descriptor: whatever is put in its place meanwhile is not what was looked at.
            return self._send(name, Path(f"/proc/self/fd/{descriptor}"))
        finally:
            os.close(descriptor)

    def directory(self, path: str) -> _Sent:
        """Keep a directory as an archive."""
        archive = self._scratch / "output.tgz"
        try:
            with suppress(FileNotFoundError):
                archive.unlink()
            tree = beneath.open_directory(self._home, path)
            try:
                packing.pack(tree, path, archive, self._stop)
            finally:
                os.close(tree)
        except FileNotFoundError as error:
            raise _Lost(NO_SUCH_FILE, Reason.OUTPUT_NOT_FOUND, "there is no such directory") from error
        except (OSError, tarfile.TarError) as error:
            if isinstance(error, OSError):
                fulldisk.check(error)
            detail = f"it cannot be packed: {getattr(error, 'strerror', None) or error}"
            raise _Lost(NOT_PACKED, Reason.OUTPUT_NOT_FOUND, detail) from error
        try:
            return self._send(f"{path}.tgz", archive)
        finally:
            archive.unlink()

    def _send(self, name: str, file: Path) -> _Sent:
        return patiently(lambda: self._put(name, file), lambda: 0, self._stop, self._patience_s)

    def _put(self, name: str, file: Path) -> _Sent:
        """Either the store tells what has arrived, or it is told before what shall arrive, which takes longer."""
        try:
            if self._store_tells:
                size = os.stat(file).st_size
                address = self._objects.to_put(name, size, None)
                if address.tells_checksum:
                    return _Sent(size, self._web.put(address, file, self._stop))
                self._store_tells = False
            size, sha256 = measure(file, self._stop)
        except OSError as error:
            raise Refused(f"it cannot be read: {error.strerror}") from error
        self._web.put(self._objects.to_put(name, size, sha256), file, self._stop)
        return _Sent(size, sha256)


def measure(file: Path, stop: Stop) -> Tuple[int, str]:
    """Its size and its SHA-256. Raises OSError, Interrupted."""
    size, digest = 0, hashlib.sha256()
    with open(file, "rb") as opened:
        while True:
            piece = opened.read(_PIECE)
            if not piece:
                return size, digest.hexdigest()
            if stop.requested:
                raise Interrupted
            size += len(piece)
            digest.update(piece)


def _failed(reason: Reason, name: str, detail: str) -> Failure:
    return Failure(Outcome.SYSTEM_FAILED, reason, exits.SYSTEM_FAILED, {"name": name, "detail": detail})
