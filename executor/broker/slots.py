"""The slot that HTCondor gave a job: what the job may have is read from HTCondor's own words, not from the job's.

execute_dir/        HTCondor's; nobody else can make anything in it
    dir_N/          the slot user's
        .machine.ad HTCondor's: the user may remove it, but cannot make another of the same owner
"""

from __future__ import annotations

import fcntl
import os
import stat
from dataclasses import dataclass

from prominence.executor.broker.engine import Host
from prominence.executor.broker.spec import Peer
from prominence.executor.condor import attributes

_AD = ".machine.ad"
_LONGEST_AD = 1024 * 1024
_REAL_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class NoSlot(Exception):
    """The caller shows no sandbox that HTCondor made for a job of its own; the text says why."""


@dataclass(frozen=True)
class Slot:
    """A job's slot, held for one session. descriptor: to be closed when the session is over."""

    limits: Host
    disk_kib: int
    descriptor: int


def claim(execute_dir: str, sandbox: str, peer: Peer) -> Slot:
    """The slot whose sandbox this is. Raises NoSlot, also where another session holds it."""
    if os.path.dirname(sandbox) != execute_dir.rstrip("/"):
        raise NoSlot("this is not the sandbox of a job")
    try:
        descriptor = os.open(sandbox, _REAL_DIRECTORY)
    except OSError as error:
        raise NoSlot(f"the sandbox cannot be opened: {error.strerror}") from error
    try:
        if os.fstat(descriptor).st_uid != peer.uid:
            raise NoSlot("this is another user's sandbox")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ad = attributes(_read_ad(descriptor, peer))
        return Slot(Host(cpus=int(ad["cpus"]), memory_mib=int(ad["memory"])), int(ad["disk"]), descriptor)
    except BlockingIOError as error:
        os.close(descriptor)
        raise NoSlot("the job has a session already") from error
    except (OSError, KeyError, ValueError) as error:
        os.close(descriptor)
        raise NoSlot(f"the slot's ad cannot be read: {error}") from error
    except NoSlot:
        os.close(descriptor)
        raise


def _read_ad(sandbox: int, peer: Peer) -> str:
    # Not blocking, for a pipe that waits for a writer.
    with open(os.open(_AD, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=sandbox), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_uid == peer.uid or found.st_mode & 0o022 or found.st_nlink != 1:
            raise NoSlot("the slot's ad is not HTCondor's")
        return file.read(_LONGEST_AD).decode(errors="replace")
