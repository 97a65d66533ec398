"""Before the tasks: the files that come with the job and the artifacts that it names, into its home."""

from __future__ import annotations

import base64
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Callable, List, Optional, Tuple

from prominence.core.plan import ExecutionPlan, PlannedArtifact, PlannedInput
from prominence.core.reasons import Reason
from prominence.core.report import Outcome, TransferReport
from prominence.executor import archives, exits
from prominence.executor.archives import BadArchive
from prominence.executor.ports import Interrupted, Stop
from prominence.executor.sandbox import Workspace
from prominence.executor.tasks import STOPPED, Failure
from prominence.executor.transfer import Address, Objects, Refused, TransferFailed, Web, patiently

Progress = Callable[[Tuple[TransferReport, ...]], None]

SUCCESS, NOT_FETCHED, NOT_UNPACKED = "success", "failedDownload", "failedUncompress"

_MIB = 1024 * 1024


def stage_in(
    plan: ExecutionPlan, home: Path, web: Web, objects: Objects, stop: Stop, progress: Progress
) -> Optional[Failure]:
    """Put them there; why it did not work."""
    for file in plan.inputs:
        _write(home, file)
    done: List[TransferReport] = []
    room = None if plan.disk_mib is None else plan.disk_mib * _MIB
    for artifact in plan.artifacts:
        started = time.monotonic()
        status, failure, size = SUCCESS, None, 0
        try:
            size = _fetch(artifact, home, room, web, objects, stop)
            room = None if room is None else room - size
        except _NotUnpacked as error:
            status, failure = NOT_UNPACKED, _failed(Reason.ARTIFACT_UNPACK_FAILED, artifact, error)
        except Refused as error:
            status, failure = NOT_FETCHED, _failed(Reason.ARTIFACT_NOT_FOUND, artifact, error)
        except TransferFailed as error:
            status, failure = NOT_FETCHED, _failed(Reason.ARTIFACT_DOWNLOAD_FAILED, artifact, error)
        except Interrupted:
            return STOPPED
        done.append(TransferReport(artifact.source, status, round(time.monotonic() - started, 3), size or None))
        progress(tuple(done))
        if failure:
            return failure
    return None


def prepare_mounts(plan: ExecutionPlan, workspace: Workspace) -> Optional[Failure]:
    """Move the directories that are to be mounted to where they are mounted from; why that did not work.

    What is mounted is not beneath the home: a directory there could be replaced by its owner. In its place is a link
    to the path at which tasks see it.
    """
    for mount, place in zip(plan.mounts, workspace.mounts):
        directory = workspace.home / mount.directory
        if directory.is_symlink() or not directory.is_dir():
            details = {"name": mount.directory, "detail": "no artifact has brought a directory of this name"}
            return Failure(Outcome.SYSTEM_FAILED, Reason.ARTIFACT_UNPACK_FAILED, exits.SYSTEM_FAILED, details)
        for name in os.listdir(directory):
            os.rename(directory / name, place / name)
        directory.rmdir()
        directory.symlink_to(mount.target)
    return None


class _NotUnpacked(Exception):
    """The artifact was fetched, and is no archive that we unpack."""


def _fetch(artifact: PlannedArtifact, home: Path, room: Optional[int], web: Web, objects: Objects, stop: Stop) -> int:
    """Fetch one artifact, and unpack it; how many bytes it takes."""
    file = home / artifact.file
    with suppress(FileNotFoundError):
        file.unlink()

    def once() -> None:
        address = objects.to_get(artifact.source) if artifact.is_object else Address(artifact.source)
        web.get(address, file, room, stop)

    patiently(once, lambda: _size(file), stop)
    if archives.is_archive(artifact.file):
        try:
            size = archives.unpack(file, home, None if room is None else room - _size(file), stop)
        except BadArchive as error:
            raise _NotUnpacked(str(error)) from error
        file.unlink()
        return size
    if artifact.executable:
        file.chmod(0o755)
    return _size(file)


def _write(home: Path, file: PlannedInput) -> None:
    mode = 0o755 if file.executable else 0o644
    descriptor = os.open(home / file.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(base64.b64decode(file.content))
        os.fchmod(opened.fileno(), mode)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _failed(reason: Reason, artifact: PlannedArtifact, error: Exception) -> Failure:
    details = {"name": artifact.source, "detail": str(error)}
    return Failure(Outcome.SYSTEM_FAILED, reason, exits.SYSTEM_FAILED, details)
