"""After the tasks, also when one has failed: the files and directories that the job keeps, to the object store."""

from __future__ import annotations

import hashlib
import os
import tarfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Callable, List, Optional, Tuple

from prominence.core.plan import ExecutionPlan
from prominence.core.reasons import Reason
from prominence.core.report import Outcome, TransferReport
from prominence.executor import archives, beneath, exits
from prominence.executor.ports import Interrupted, Stop
from prominence.executor.tasks import STOPPED, Failure
from prominence.executor.transfer import Objects, QuotaReached, TransferFailed, Web, patiently

Progress = Callable[[Tuple[TransferReport, ...]], None]

SUCCESS, NO_SUCH_FILE, NOT_PACKED, NOT_SENT = "success", "failedNoSuchFile", "failedTarCreation", "failedUpload"

_PIECE = 1024 * 1024


def stage_out(
    plan: ExecutionPlan, home: Path, scratch: Path, web: Web, objects: Objects, stop: Stop, progress: Progress
) -> Optional[Failure]:
    """Keep what there is of them; why not all of it could be. scratch: where an archive may be made."""
    keeper = _Keeper(home, scratch, web, objects, stop)
    done: List[TransferReport] = []
    failure: Optional[Failure] = None
    wanted: List[Tuple[Callable[[str], int], str]] = [(keeper.file, pattern) for pattern in plan.output_files]
    wanted += [(keeper.directory, path) for path in plan.output_dirs]
    for keep, name in wanted:
        started = time.monotonic()
        status, size = SUCCESS, None
        try:
            size = keep(name)
        except _Lost as error:
            status = error.status
            failure = failure or _failed(error.reason, name, str(error))
        except QuotaReached as error:
            status, failure = NOT_SENT, failure or _failed(Reason.OUTPUT_NOT_KEPT, name, str(error))
        except TransferFailed as error:
            status, failure = NOT_SENT, failure or _failed(Reason.OUTPUT_UPLOAD_FAILED, name, str(error))
        except Interrupted:
            return STOPPED
        done.append(TransferReport(name, status, round(time.monotonic() - started, 3), size))
        progress(tuple(done))
    return failure


class _Lost(Exception):
    """There is nothing to keep, or it cannot be read."""

    def __init__(self, status: str, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.status, self.reason = status, reason


class _Keeper:
    def __init__(self, home: Path, scratch: Path, web: Web, objects: Objects, stop: Stop) -> None:
        self._home, self._scratch, self._web, self._objects, self._stop = home, scratch, web, objects, stop

    def file(self, pattern: str) -> int:
        """Keep the first file that matches; its size."""
        found = beneath.first_match(self._home, pattern)
        if found is None:
            raise _Lost(NO_SUCH_FILE, Reason.OUTPUT_NOT_FOUND, "there is no such file")
        try:
            descriptor = beneath.open_file(self._home, found)
        except OSError as error:
            raise _Lost(NO_SUCH_FILE, Reason.OUTPUT_NOT_FOUND, error.strerror or str(error)) from error
        try:
            # By its descriptor: whatever is put in its place meanwhile is not what was looked at.
            return self._send(found, Path(f"/proc/self/fd/{descriptor}"))
        finally:
            os.close(descriptor)

    def directory(self, path: str) -> int:
        """Keep a directory as an archive; its size."""
        archive = self._scratch / "output.tgz"
        try:
            with suppress(FileNotFoundError):
                archive.unlink()
            archives.pack(beneath.directory(self._home, path), path, archive)
        except FileNotFoundError as error:
            raise _Lost(NO_SUCH_FILE, Reason.OUTPUT_NOT_FOUND, "there is no such directory") from error
        except (OSError, tarfile.TarError) as error:
            detail = f"it cannot be packed: {getattr(error, 'strerror', None) or error}"
            raise _Lost(NOT_PACKED, Reason.OUTPUT_NOT_FOUND, detail) from error
        try:
            return self._send(f"{path}.tgz", archive)
        finally:
            archive.unlink()

    def _send(self, name: str, file: Path) -> int:
        try:
            size, sha256 = _measure(file, self._stop)
        except OSError as error:
            raise TransferFailed(f"it cannot be read: {error.strerror}") from error
        patiently(
            lambda: self._web.put(self._objects.to_put(name, size, sha256), file, self._stop), lambda: 0, self._stop
        )
        return size


def _measure(file: Path, stop: Stop) -> Tuple[int, str]:
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
