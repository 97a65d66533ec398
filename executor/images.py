"""Images that are files: each is fetched once in a job, looked into, and given to a runtime."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Callable, Dict, NamedTuple, Optional, Protocol, Sequence, Tuple

from prominence.core.plan import PATIENCE_S, PlannedImage
from prominence.core.reasons import Reason
from prominence.executor import choice, diskuse, imagefiles
from prominence.executor.deadline import left_s
from prominence.executor.imagefiles import ImageFile, NotAnImage
from prominence.executor.ports import ContainerRuntime, FetchFailed, FetchTimedOut, Interrupted, Stop
from prominence.executor.transfer import Address, Objects, Refused, TransferFailed, Web, patiently

_KIB = 1024
_PIECE = 1024 * 1024


class Loaded(NamedTuple):
    """An image that a runtime has. image: what the runtime knows it by. sha256: of its file."""

    runtime: ContainerRuntime
    image: str
    sha256: str


class Kept(Protocol):
    """The files that the worker keeps for all its jobs."""

    def file(self, address: Address, web: Web, timeout_s: Optional[float], stop: Stop) -> Optional[Tuple[Path, str]]:
        """The file at the address as it is now, to be read as long as the job runs, and its checksum.

        None: it is the job's to fetch. Raises FetchTimedOut, Interrupted, WorkerLost.
        """


class ImageFiles:
    """Those of one job. directory: for them alone, seen by no task. kept: None where the worker keeps none.

    disk_kib: what the job may keep on the worker's disk, with these files; None: nobody knows. used_kib: what it keeps
    there besides. patience_s: as in `ExecutionPlan`.
    """

    def __init__(
        self,
        directory: Path,
        web: Web,
        objects: Objects,
        disk_kib: Optional[int],
        used_kib: Callable[[int], int] = lambda enough: 0,
        clock: Callable[[], float] = time.monotonic,
        patience_s: float = PATIENCE_S,
        kept: Optional[Kept] = None,
    ) -> None:
        self._patience_s, self._kept = patience_s, kept
        self._directory, self._web, self._objects = directory, web, objects
        self._disk_kib, self._used_kib, self._clock = disk_kib, used_kib, clock
        self._loaded: Dict[Tuple[str, bool], Loaded] = {}

    @property
    def kept_kib(self) -> int:
        """What they take of the disk, as far as anybody limits that."""
        return 0 if self._disk_kib is None else diskuse.used_kib([str(self._directory)], self._disk_kib)

    def known(self, wanted: PlannedImage) -> Optional[Loaded]:
        """The image, if a runtime has it already. Raises FetchFailed when it is another than is wanted."""
        found = self._loaded.get(wanted[:2])
        if found is not None:
            _check(wanted, found.sha256)
        return found

    def load(
        self, wanted: PlannedImage, runtimes: Sequence[ContainerRuntime], timeout_s: Optional[float], stop: Stop
    ) -> Loaded:
        """Fetch the file, and have the first of the runtimes that can take the image out of it.

        Raises FetchTimedOut, FetchFailed, Interrupted, WorkerLost.
        """
        patience = _Patience(stop, timeout_s, self._clock)
        try:
            file = self._fetch(wanted, patience)
        except Interrupted as error:
            if stop.requested:
                raise
            raise FetchTimedOut("the file takes too long") from error
        loaded = self._give(file, runtimes, patience, stop)
        self._loaded[wanted[:2]] = loaded
        return loaded

    def _fetch(self, wanted: PlannedImage, patience: _Patience) -> ImageFile:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        file = self._directory / f"image-{len(self._loaded)}"

        def once() -> Optional[Tuple[Path, str]]:
            address = self._objects.to_get(wanted.source) if wanted.is_object else Address(wanted.source)
            kept = self._of_worker(wanted, address, patience) if _size(file) == 0 else None
            if kept is None:
                self._web.get(address, file, self._room(file), patience)
            return kept

        try:
            kept = patiently(once, lambda: _size(file), patience, self._patience_s)
            if kept is not None:
                return imagefiles.look(*kept, self._room(), patience, beside=file)
            digest = _digest(file, patience)
            _check(wanted, digest)
            return imagefiles.look(file, digest, self._room(), patience)
        except (Refused, NotAnImage) as error:
            raise FetchFailed(str(error)) from error
        except TransferFailed as error:
            raise FetchFailed(str(error), Reason.IMAGE_UNAVAILABLE) from error

    def _of_worker(self, wanted: PlannedImage, address: Address, patience: _Patience) -> Optional[Tuple[Path, str]]:
        """The file, where the worker has it or gets it, and its checksum."""
        if self._kept is None:
            return None
        if wanted.sha256 is not None and address.sha256 is not None:
            _check(wanted, address.sha256)
        known = replace(address, sha256=wanted.sha256 or address.sha256)
        return self._kept.file(known, self._web, patience.left_s(), patience)

    def _give(self, file: ImageFile, runtimes: Sequence[ContainerRuntime], patience: _Patience, stop: Stop) -> Loaded:
        refusals: Dict[str, str] = {}
        for runtime in runtimes:
            try:
                image = runtime.load(file, patience.left_s(), stop)
            except FetchTimedOut:
                raise  # the others have no time left
            except FetchFailed as error:
                refusals[runtime.name] = str(error)
                continue
            if file.saved is not None:  # the runtime has it by now, and the job may need the room
                for one in {file.path, file.saved.file}:
                    if one.parent == self._directory:
                        one.unlink()
            return Loaded(runtime, image, file.sha256)
        raise FetchFailed(choice.why_not_fetched(refusals))

    def _room(self, file: Optional[Path] = None) -> Optional[int]:
        """Bytes that there is room for, where `file` is one that goes on."""
        if self._disk_kib is None:
            return None
        used_kib = self._used_kib(self._disk_kib) + self.kept_kib
        have = 0 if file is None else _size(file)
        return max(0, (self._disk_kib - used_kib) * _KIB + have)


class _Patience(Stop):
    """Told to stop when `stop` is, or when the time is up."""

    def __init__(self, stop: Stop, timeout_s: Optional[float], clock: Callable[[], float]) -> None:
        super().__init__()
        self._outer, self._timeout_s, self._clock, self._began = stop, timeout_s, clock, clock()

    @property
    def requested(self) -> bool:
        left = self.left_s()
        return self._outer.requested or (left is not None and left <= 0)

    def left_s(self) -> Optional[float]:
        return left_s(self._timeout_s, [self._clock() - self._began])


def _check(wanted: PlannedImage, sha256: str) -> None:
    if wanted.sha256 not in (None, sha256):
        raise FetchFailed(f"its SHA-256 is {sha256}, and not the {wanted.sha256} of imageSha256")


def _digest(file: Path, stop: Stop) -> str:
    digest = hashlib.sha256()
    with open(file, "rb") as opened:
        for piece in iter(lambda: opened.read(_PIECE), b""):
            if stop.requested:
                raise Interrupted
            digest.update(piece)
    return digest.hexdigest()


def _size(file: Path) -> int:
    with suppress(OSError):
        return file.stat().st_size
    return 0
