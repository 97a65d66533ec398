"""A backup back into its places: verified as a whole before anything is touched, and only while nothing runs."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from prominence.core.errors import Conflict, Rejected
from prominence.core.keyvalue.port import KeyValue
from prominence.restapi.backup import manifest, numbers, stored
from prominence.restapi.backup.manifest import FILE, Manifest, Member, Order, Sum
from prominence.restapi.backup.moment import QUEUE as QUEUE_LOG
from prominence.restapi.backup.packing import member_of, pieces, unpacked
from prominence.restapi.backup.parts import QUEUE, STORE, Kind, Part
from prominence.restapi.backup.placing import Mark, Stage

LARGEST_STORE = 2 * 1024 * 1024 * 1024
"""Of the shared store's copy, in bytes: as much as etcd takes."""

Take = Callable[[Member, tarfile.TarInfo, IO[bytes] | None], None]


@dataclass(frozen=True)
class Target:
    """Where it goes. users: which processes have files open below these directories."""

    parts: tuple[Part, ...]
    sandboxes: Path
    state: Path
    store: KeyValue
    users: Callable[[], Sequence[str]]
    clock: Callable[[], datetime]


@dataclass(frozen=True)
class Restored:
    """What was done. aside: where what was there is now. next_job: the number of the next job, where that is known."""

    manifest: Manifest
    aside: tuple[Path, ...]
    next_job: int | None


def verify(file: Path) -> Manifest:
    """Read all of it, and write nothing. Raises Rejected, OSError."""
    return _read(file, lambda member, told, content: None)


def restore(file: Path, target: Target) -> Restored:
    """Raises Rejected for what is no whole backup, Conflict where it must not be put back, Unavailable, OSError."""
    promised = verify(file)
    _check(promised, target)
    mark = Mark(target.state)
    stamp = mark.begun() or target.clock().strftime("%Y%m%dT%H%M%S")
    stages = {part.name: Stage(part) for part in target.parts if part.kind is not Kind.STORE}
    held = [stage for stage in stages.values() if stage.part.name in {part.name for part in promised.parts}]
    for stage in held:
        stage.empty()
    kept = bytearray()

    def take(member: Member, told: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        if member.name == STORE:
            kept.extend(content.read() if content else b"")
        else:
            stages[member.part].place_one(member, told, content)

    if _read(file, take) != promised:
        raise Conflict("The backup was changed while it was read.")
    copy = stored.read(bytes(kept), target.clock())
    for cut in promised.cut:
        stages[cut.part].cut(cut.path, cut.size)
    queue = stages[QUEUE]
    next_job = numbers.go_on(queue.folder / QUEUE_LOG, [one / QUEUE_LOG for one in queue.there(stamp)])
    os.sync()
    mark.begin(stamp)
    stored.put_back(target.store, copy)
    aside = [path for stage in held if stage.is_there() for path in stage.into_place(stamp)]
    mark.end()
    return Restored(promised, tuple(aside), next_job)


def _check(promised: Manifest, target: Target) -> None:
    """That it fits this machine, and that nobody is at work there."""
    names = {part.name for part in target.parts}
    for part in promised.parts:
        if part.name not in names:
            raise Conflict(f"The backup holds {ascii(part.name)}, which has no place by the settings of this machine.")
    if STORE not in {part.name for part in promised.parts}:
        raise Rejected.because("is not in the backup, which is none of a whole control plane", STORE)
    if promised.sandboxes != str(target.sandboxes):
        raise Conflict(
            f"The jobs in the backup's queue know their files below {promised.sandboxes}, and here they would be below "
            f"{target.sandboxes}: make sandboxes_dir of the API's settings the same."
        )
    if users := target.users():
        raise Conflict(f"The service runs: {', '.join(users)}. Stop it first; nothing was changed.")
    needed, free = sum(part.bytes for part in promised.parts), shutil.disk_usage(target.state).free
    if needed > free:
        raise Conflict(f"The backup needs {needed} bytes beside what is there, and {free} are free.")


def _read(file: Path, take: Take) -> Manifest:
    """What it says of itself, if that is so; all its members go to `take`. Raises Rejected, OSError."""
    order, sums = Order(), dict[str, Sum]()
    promised: Manifest | None = None
    with open(file, "rb") as stream, unpacked(stream) as members:
        for told, content in members:
            if promised is not None:
                raise Rejected.because("comes behind the manifest", ascii(told.name))
            if told.name == manifest.NAME:
                promised = _manifest(member_of(told), content)
                continue
            member = member_of(told)
            order.check(member)
            known = _Summed(content) if content else None
            take(member, told, known)  # type: ignore[arg-type]
            sums.setdefault(member.part, Sum(member.part)).add(member, known.rest() if known else _OF_NOTHING)
    if promised is None:
        raise Rejected.because("the backup has no manifest: it was cut off, or is none")
    manifest.compare(promised, {name: one.result() for name, one in sums.items()}, order)
    return promised


def _manifest(member: Member, content: IO[bytes] | None) -> Manifest:
    if content is None or member.kind != FILE or member.size > manifest.LARGEST:
        raise Rejected.because("is no file of sensible size", manifest.NAME)
    return manifest.read(content.read())


class _Summed:
    """A member's content, read by somebody who need not read all of it."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content, self._hash = content, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._content.read(size)
        self._hash.update(piece)
        return piece

    def rest(self) -> str:
        """The sum of all of it."""
        for _ in pieces(self):  # type: ignore[arg-type]
            pass
        return self._hash.hexdigest()


_OF_NOTHING = hashlib.sha256().hexdigest()
