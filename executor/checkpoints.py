"""Checkpoints: what of the home is saved while tasks run, for the next attempt of the job to go on from.

Each is an archive with a checksum, put into the object store under a name of its own; it counts from the moment in
which the service is told that it is there. Of what changes while it is packed no checkpoint is made.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Optional, Protocol, Tuple

from prominence.core.plan import PlannedCheckpoint
from prominence.core.reasons import Reason
from prominence.core.report import CheckpointReport, Outcome
from prominence.executor import archives, beneath, exits, fulldisk, packing
from prominence.executor.archives import BadArchive
from prominence.executor.failures import STOPPED, Failure
from prominence.executor.ports import Interrupted, Stop
from prominence.executor.stage_out import measure
from prominence.executor.transfer import Address, TransferFailed, Web, patiently

TRIES = 3
"""To pack what a task changes at the same time."""
_ARCHIVE = "checkpoint.tgz"
_GIVEN_UP_S = 5.0


class Store(Protocol):
    """Where this job's checkpoints are. Raises TransferFailed, Refused."""

    def checkpoint_to_put(self, size: int, sha256: str) -> Tuple[str, Address]:
        """What the next one is called, and where it goes."""

    def checkpoint_is_there(self, name: str) -> None:
        """From now on it is the latest."""

    def checkpoint_to_get(self) -> Optional[Address]:
        """The latest; None: there is none."""


class Checkpoints:
    """Of one attempt. scratch: where archives may be made."""

    def __init__(self, wanted: PlannedCheckpoint, home: Path, scratch: Path, web: Web, store: Store) -> None:
        self._wanted, self._home, self._scratch, self._web, self._store = wanted, home, scratch, web, store
        self._told = CheckpointReport()
        self._forgotten: Optional[Stop] = None

    @property
    def told(self) -> CheckpointReport:
        """What there is to report."""
        return self._told

    def restore(self, stop: Stop) -> Optional[Failure]:
        """Put the latest where it came from; why that did not work. That there is none is fine. Raises WorkerLost."""
        try:
            with self._place() as archive:
                found = patiently(lambda: self._fetch(archive, stop), lambda: _size(archive), stop)
                if found:
                    archives.unpack(archive, self._home, None, stop, any_links=True)
                    self._told = self._told._replace(restored=True)
        except Interrupted:
            return STOPPED
        except (TransferFailed, BadArchive, OSError) as error:
            if isinstance(error, OSError):
                fulldisk.check(error)
            details = {"detail": str(error)}
            return Failure(Outcome.SYSTEM_FAILED, Reason.CHECKPOINT_NOT_RESTORED, exits.SYSTEM_FAILED, details)
        return None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Save one every so often meanwhile. One that is not done at the end is given up."""
        over, stop = threading.Event(), Stop()

        def keep() -> None:
            while not over.wait(self._wanted.interval_s):
                self.save(stop)

        keeper = threading.Thread(target=keep, name="checkpoints", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            stop.request()
            over.set()
            keeper.join(_GIVEN_UP_S)
            self._forgotten = stop  # a server that does not answer is not waited for

    def save(self, stop: Stop) -> None:
        """Save one, unless it is told to stop before. Why it did not work is told; the one before stays good."""
        try:
            with self._place() as archive:
                self._pack(archive, stop)
                size, sha256 = measure(archive, stop)
                patiently(lambda: self._send(archive, size, sha256, stop), lambda: 0, stop)
            self._told = self._told._replace(saved=self._told.saved + 1, trouble="")
        except Interrupted:
            return
        except (TransferFailed, OSError, tarfile.TarError) as error:
            trouble = getattr(error, "strerror", None) or str(error)
            self._told = self._told._replace(trouble=trouble)

    def _fetch(self, archive: Path, stop: Stop) -> bool:
        address = self._store.checkpoint_to_get()
        if address is not None:
            self._web.get(address, archive, None, stop)
        return address is not None

    def _send(self, archive: Path, size: int, sha256: str, stop: Stop) -> None:
        name, address = self._store.checkpoint_to_put(size, sha256)
        self._web.put(address, archive, stop)
        if stop is self._forgotten:
            raise Interrupted  # there may be another by now
        self._store.checkpoint_is_there(name)

    def _pack(self, archive: Path, stop: Stop) -> None:
        for _ in range(TRIES):
            tree = beneath.open_any(self._home, self._wanted.path)
            try:
                if packing.pack(tree, self._wanted.path, archive, stop):
                    return
            finally:
                os.close(tree)
        raise TransferFailed(f"{self._wanted.path} changes all the time while it is packed")

    @contextmanager
    def _place(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(dir=self._scratch, prefix="checkpoint-") as directory:
            yield Path(directory) / _ARCHIVE


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
