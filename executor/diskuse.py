"""How much disk a job uses, looked at while it runs: nothing on a worker limits a directory by itself.

Both sides have it: the broker for the directories it made, as root, and the executor for its own. What is being
looked at is the work of a user who may be hostile: no link is followed, a look may take its time without anybody
waiting for it, and a directory whose size cannot be told counts as too much.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Callable, Iterator, Optional, Sequence, Set, Tuple

FULL = (errno.ENOSPC, errno.EDQUOT)
"""The errors of a disk that takes no more."""
LOOK_S = 2.0
_SHARE = 10
"""A look that takes long is not repeated before ten times as long has passed."""
_DEEPEST = 500
_ENTRY_KIB = 1
"""What an entry costs the disk beside its blocks: files without content can fill it, too."""
_REAL_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class TooDeep(Exception):
    """Directories within directories, further than anybody needs."""


class Watch:
    """Looks, from the start to `stop`, whether `used_kib` gives more than the limit; then `exceeded` is true.

    seen_kib: what the last look gave; None: there was none yet.
    """

    def __init__(self, used_kib: Callable[[], int], limit_kib: int, tell: Callable[[], object] = lambda: None) -> None:
        self.exceeded = False
        self.seen_kib: Optional[int] = None
        self._used_kib = used_kib
        self._limit_kib = limit_kib
        self._tell = tell
        self._over = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def stop(self) -> None:
        """Look no more. What a look that is under way will find does not count any more."""
        self._over.set()

    def _look(self) -> None:
        pause_s = LOOK_S
        while not self._over.wait(pause_s):
            begun = time.monotonic()
            used_kib = self._used_kib()
            self.seen_kib = used_kib
            if used_kib > self._limit_kib and not self._over.is_set():
                self.exceeded = True
                self._tell()
                return
            pause_s = max(LOOK_S, _SHARE * (time.monotonic() - begun))


@contextmanager
def watched(directories: Sequence[str], limit_kib: Optional[int]) -> Iterator[Optional[Watch]]:
    """A watch on these directories; none where nobody knows how much they may hold."""
    if limit_kib is None:
        yield None
        return
    enough_kib = limit_kib
    watch = Watch(lambda: used_kib(directories, enough_kib), enough_kib)
    try:
        yield watch
    finally:
        watch.stop()


def used_kib(directories: Sequence[str], enough_kib: int) -> int:
    """What is kept in these directories, in KiB; exact only up to `enough_kib`. Those that are gone hold nothing."""
    used = 0
    try:
        for entry in _each_once(directories):
            used += entry.st_blocks // 2 + _ENTRY_KIB
            if used > enough_kib:
                return used
    except TooDeep:
        return max(used, enough_kib + 1)
    return used


def _each_once(directories: Sequence[str]) -> Iterator[os.stat_result]:
    """All that is below them, a file of several names once."""
    seen: Set[Tuple[int, int]] = set()
    for entry in chain.from_iterable(map(_below, directories)):
        known_by = (entry.st_dev, entry.st_ino)
        if known_by in seen:
            continue
        if entry.st_nlink > 1 and not stat.S_ISDIR(entry.st_mode):
            seen.add(known_by)
        yield entry


def _below(directory: str) -> Iterator[os.stat_result]:
    with suppress(OSError):
        top = os.open(directory, _REAL_DIRECTORY)
        yield from _entries(top, 0)


def _entries(directory: int, depth: int) -> Iterator[os.stat_result]:
    """Everything below an open directory, which is closed. What vanishes meanwhile is left out."""
    try:
        if depth > _DEEPEST:
            raise TooDeep
        for name in os.listdir(directory):
            with suppress(OSError):
                found = os.stat(name, dir_fd=directory, follow_symlinks=False)
                yield found
                if stat.S_ISDIR(found.st_mode):
                    yield from _entries(_opened(directory, name, found), depth + 1)
    finally:
        os.close(directory)


def _opened(parent: int, name: str, found: os.stat_result) -> int:
    try:
        return os.open(name, _REAL_DIRECTORY, dir_fd=parent)
    except PermissionError:
        # Its owner has closed it to himself, and that is us.
        os.chmod(name, stat.S_IMODE(found.st_mode) | stat.S_IRWXU, dir_fd=parent)
        return os.open(name, _REAL_DIRECTORY, dir_fd=parent)
