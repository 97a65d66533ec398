"""HTCondor's files of one moment, though it goes on writing them.

The schedd's queue, its history and its logs only grow: what stands in them up to a size never changes, and a file that
was given another name can still be read. So a moment is all of them, open, with their sizes, if the queue did not grow
while they were looked at. It is what the schedd would find after a loss of power at that moment, for which it is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from prominence.core.errors import Unavailable
from prominence.restapi.archive.records import whole_ads, whole_events

QUEUE = "job_queue.log"
_TRIES = 1000
_TAIL = 4 * 1024 * 1024


@dataclass(frozen=True)
class Frozen:
    """A file, and how much of it there was."""

    path: Path
    stream: IO[bytes]
    status: os.stat_result
    size: int


@contextmanager
def moment(spool: Path, others: Sequence[Path]) -> Iterator[Mapping[Path, Frozen]]:
    """Files in the spool and in the other directories of logs, by their paths. Raises Unavailable, OSError."""
    queue = spool / QUEUE
    for _ in range(_TRIES):
        with ExitStack() as stack:
            files = [queue] + [one for folder in (spool, *others) for one in _logs_in(folder) if one != queue]
            opened = {path: found for path in files if (found := _open(stack, path))}
            # Files that have another name by now, and a queue that has grown, are of another moment.
            if all(_is_same(found) for found in opened.values()) and _is_whole(queue, opened):
                yield {path: _cut(found) for path, found in opened.items()}
                return
    raise Unavailable("The queue changes too fast to be copied. Try again when there is less to do.")


def _logs_in(folder: Path) -> list[Path]:
    """Of the spool only what grows; what else is there belongs to jobs, or is lost without harm."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.is_symlink())


def _open(stack: ExitStack, path: Path) -> Frozen | None:
    try:
        stream = stack.enter_context(os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb"))
    except FileNotFoundError:
        return None
    status = os.fstat(stream.fileno())
    return Frozen(path, stream, status, status.st_size)


def _is_same(found: Frozen) -> bool:
    try:
        status = os.lstat(found.path)
    except FileNotFoundError:
        return False
    return status.st_ino == found.status.st_ino


def _is_whole(queue: Path, opened: Mapping[Path, Frozen]) -> bool:
    return queue not in opened or os.fstat(opened[queue].stream.fileno()).st_size == opened[queue].size


def _cut(found: Frozen) -> Frozen:
    """Without half a record at its end: what is written later goes on behind that."""
    name = found.path.name
    whole = next((rule for begin, rule in _RULES.items() if name.startswith(begin)), None)
    if whole is None or found.size == 0:
        return found
    start = max(0, found.size - _TAIL)
    tail = os.pread(found.stream.fileno(), found.size - start, start)
    return Frozen(found.path, found.stream, found.status, start + whole(tail)) if whole(tail) else found


def _whole_lines(content: bytes) -> int:
    return content.rfind(b"\n") + 1


_RULES: Mapping[str, Callable[[bytes], int]] = {
    QUEUE: _whole_lines,
    "history": whole_ads,
    "runs": whole_ads,
    "jobs": whole_events,
}
