"""Which number the next job gets after a restore: none that a job has had since the backup was made.

The schedd writes it into the log of its queue, as an attribute of the ad 0.0, whenever it gives one, and takes the last
that stands there. The first line of the log says when the queue was begun, which stays with it for as long as it lives:
so it can be seen whether what is on this machine is the same queue, as it was later.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from prominence.core.jobid import LAST_CLUSTER

STEP = 1_000_000
"""Where nobody knows which numbers were given later, the next one begins another million: more than a pool gives
between two backups, and a number that can be seen to be of after."""

_BEGUN = re.compile(rb"107 [0-9]+ CreationTimestamp ([0-9]{1,18})\n")
_NEXT = re.compile(rb"103 0?0\.0 NextClusterNum ([0-9]{1,10})\n")
_BEGIN, _END = b"105", b"106"
"""Of a transaction. What stands in one that has no end does not count for the schedd."""


@dataclass(frozen=True)
class Count:
    """Of a queue. begun: when that was, as it says. next: the number that it would give next; 0 where it says none.

    whole: bytes of its log up to a transaction that has no end, or a line that has none.
    """

    begun: int
    next: int
    whole: int


def read(log: Path) -> Count | None:
    """None where there is no such log. Raises OSError."""
    try:
        with log.open("rb") as lines:
            return _counted(lines)
    except FileNotFoundError:
        return None


def _counted(lines: Iterable[bytes]) -> Count:
    begun = following = at = whole = 0
    is_open = False
    for line in lines:
        at += len(line)
        if found := _NEXT.fullmatch(line):
            following = int(found[1])
        elif found := _BEGUN.fullmatch(line):
            begun = int(found[1])
        is_open = (is_open or line.startswith(_BEGIN)) and not line.startswith(_END)
        whole = at if not is_open and line.endswith(b"\n") else whole
    return Count(begun, following, whole)


def beyond(kept: Count, there: Iterable[Count]) -> int:
    """The number to go on from with a queue of the backup. there: queues that this machine has had since. Pure."""
    later = [one.next for one in there if one.begun == kept.begun and one.next >= kept.next]
    if later:
        return max(later)
    number = (kept.next // STEP + 1) * STEP
    return number if number <= LAST_CLUSTER else kept.next


def go_on(log: Path, there: Iterable[Path]) -> int | None:
    """Have the queue in this log, which nobody uses, go on with numbers that were not given yet; with which.

    there: logs of queues that this machine has had since. None where the queue has never given one. Raises OSError.
    """
    kept = read(log)
    if kept is None or not kept.next:
        return None
    number = beyond(kept, [one for one in map(read, there) if one is not None])
    with log.open("r+b") as file:
        file.truncate(kept.whole)
        file.seek(0, os.SEEK_END)
        file.write(b"103 0.0 NextClusterNum %d\n" % number)
    return number
