"""The directories of sessions, made so that their owner cannot replace them, and removed whatever is in them.

tasks_dir/          root's, nobody else may write
    SESSION/        root's, mode 0711: its entries cannot be swapped for links
        home/ tmp/ mount-0/ ...  the slot user's
"""

from __future__ import annotations

import os
import stat
import uuid
from contextlib import suppress
from typing import List

from prominence.executor.broker.spec import Peer, Place

_REAL_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_LOOKS = 100_000


def prepare(tasks_dir: str) -> None:
    """Make the directory of all sessions. Raises OSError, also where somebody but root could change it."""
    os.makedirs(tasks_dir, mode=0o711, exist_ok=True)
    found = os.lstat(tasks_dir)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{tasks_dir} is not a directory that root alone may change")


def make(tasks_dir: str, session: str, peer: Peer, mounts: int = 0) -> Place:
    """A session's directories, with so many more to be mounted. Raises OSError."""
    parent = os.path.join(tasks_dir, session)
    os.mkdir(parent, 0o711)
    os.chmod(parent, 0o711)  # whatever the umask
    more = tuple(os.path.join(parent, f"mount-{number}") for number in range(mounts))
    place = Place(os.path.join(parent, "home"), os.path.join(parent, "tmp"), more)
    for directory in (place.home, place.tmp, *place.mounts):
        os.mkdir(directory, 0o700)
        os.chown(directory, peer.uid, peer.gid)
    return place


def sessions(tasks_dir: str) -> List[str]:
    """All that are there."""
    return [entry.name for entry in os.scandir(tasks_dir) if entry.is_dir(follow_symlinks=False)]


def remove(tasks_dir: str, session: str) -> None:
    """Remove a session's tree; not there is fine. Raises OSError if something of it stays: it may be tried again.

    The tree is its owner's work: no link is followed, and since it may be deeper than a path may be long, what is
    deep is moved up first.
    """
    top = os.open(tasks_dir, _REAL_DIRECTORY)
    try:
        tree = os.open(session, _REAL_DIRECTORY, dir_fd=top)
    except FileNotFoundError:
        os.close(top)
        return
    try:
        os.fchmod(tree, 0o700)  # who is not in it already does not get in any more
        _empty(tree)
        os.rmdir(session, dir_fd=top)
    finally:
        os.close(tree)
        os.close(top)


def _empty(tree: int) -> None:
    """Take away what is in the directory `tree`, until a look finds nothing."""
    for _ in range(_LOOKS):
        names = os.listdir(tree)
        if not names:
            return
        for name in names:
            with suppress(FileNotFoundError):  # its owner's last processes may still be at work in it
                _take_away(tree, name)


def _take_away(tree: int, name: str) -> None:
    """Remove the entry `name` of `tree`; directories in it become entries of `tree`."""
    if not _is_directory(tree, name):
        os.unlink(name, dir_fd=tree)
        return
    here = os.open(name, _REAL_DIRECTORY, dir_fd=tree)
    try:
        for inner in os.listdir(here):
            if _is_directory(here, inner):
                os.rename(inner, uuid.uuid4().hex, src_dir_fd=here, dst_dir_fd=tree)
            else:
                os.unlink(inner, dir_fd=here)
    finally:
        os.close(here)
    with suppress(OSError):  # filled again meanwhile: the next look finds it
        os.rmdir(name, dir_fd=tree)


def _is_directory(parent: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
