"""Before the tasks: the files that come with the job and the artifacts that it names, into its home."""

from __future__ import annotations

import base64
import os
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Tuple

from prominence.core.plan import ExecutionPlan, PlannedArtifact, PlannedInput
from prominence.core.reasons import Reason
from prominence.core.report import Outcome, TransferReport
from prominence.executor import archives, exits
from prominence.executor.archives import BadArchive
from prominence.executor.failures import STOPPED, Failure
from prominence.executor.ports import Interrupted, Stop
from prominence.executor.sandbox import Workspace
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
    for name, bring in _wanted(plan, home, web, objects, stop):
        started = time.monotonic()
        status, failure, size = SUCCESS, None, 0
        try:
            size = bring(room)
            room = None if room is None else room - size
        except NotUnpacked as error:
            status, failure = NOT_UNPACKED, _failed(Reason.ARTIFACT_UNPACK_FAILED, name, error)
        except Refused as error:
            status, failure = NOT_FETCHED, _failed(Reason.ARTIFACT_NOT_FOUND, name, error)
        except TransferFailed as error:
            status, failure = NOT_FETCHED, _failed(Reason.ARTIFACT_DOWNLOAD_FAILED, name, error)
        except Interrupted:
            return STOPPED
        done.append(TransferReport(name, status, round(time.monotonic() - started, 3), size or None))
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
        if mount.may_be_missing and not os.path.lexists(directory):
            directory.mkdir()
        if directory.is_symlink() or not directory.is_dir():
            details = {"name": mount.directory, "detail": "no artifact has brought a directory of this name"}
            return Failure(Outcome.SYSTEM_FAILED, Reason.ARTIFACT_UNPACK_FAILED, exits.SYSTEM_FAILED, details)
        for name in os.listdir(directory):
            os.rename(directory / name, place / name)
        directory.rmdir()
        directory.symlink_to(mount.target)
    return None


class NotUnpacked(Exception):
    """The artifact was fetched, and is no archive that we unpack."""


def _wanted(
    plan: ExecutionPlan, home: Path, web: Web, objects: Objects, stop: Stop
) -> Iterator[Tuple[str, Callable[[Optional[int]], int]]]:
    """What to bring, by the name that people know it by; each is told how many bytes it may have, and tells how many
    it has."""
    for artifact in plan.artifacts:
        yield artifact.source, partial(_fetch, artifact, home, web, objects, stop, plan.patience_s)
    if plan.passed:
        from prominence.executor import passing  # some jobs of workflows have any

        for number, passed in enumerate(plan.passed):
            yield (
                passing.shown(passed),
                partial(passing.bring, number, passed, home, web, objects, stop, plan.patience_s),
            )


def _fetch(
    artifact: PlannedArtifact,
    home: Path,
    web: Web,
    objects: Objects,
    stop: Stop,
    patience_s: float,
    room: Optional[int],
) -> int:
    """Fetch one artifact, and unpack it; how many bytes it takes."""
    file = home / artifact.file

    def address() -> Address:
        return objects.to_get(artifact.source) if artifact.is_object else Address(artifact.source)

    fetch(address, file, room, web, stop, patience_s)
    if archives.is_archive(artifact.file):
        return unpack(file, home, room, stop)
    if artifact.executable:
        file.chmod(0o755)
    return size_of(file)


def fetch(
    address: Callable[[], Address], file: Path, room: Optional[int], web: Web, stop: Stop, patience_s: float
) -> None:
    """Fetch a file anew from an address that is asked for each time. Raises TransferFailed, Refused, Interrupted."""
    with suppress(FileNotFoundError):
        file.unlink()
    patiently(lambda: web.get(address(), file, room, stop), lambda: size_of(file), stop, patience_s)


def unpack(file: Path, directory: Path, room: Optional[int], stop: Stop) -> int:
    """What is in the file in place of it; how many bytes that has. Raises NotUnpacked, Interrupted."""
    try:
        size = archives.unpack(file, directory, None if room is None else room - size_of(file), stop)
    except BadArchive as error:
        raise NotUnpacked(str(error)) from error
    file.unlink()
    return size


def _write(home: Path, file: PlannedInput) -> None:
    mode = 0o755 if file.executable else 0o644
    descriptor = os.open(home / file.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(base64.b64decode(file.content))
        os.fchmod(opened.fileno(), mode)


def size_of(file: Path) -> int:
    """0 where there is none."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _failed(reason: Reason, name: str, error: Exception) -> Failure:
    details = {"name": name, "detail": str(error)}
    return Failure(Outcome.SYSTEM_FAILED, reason, exits.SYSTEM_FAILED, details)
