"""What the executor needs of the outside for files: addresses from the API, and the web; and the patience with both."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Optional, Protocol, TypeVar

from prominence.executor.ports import Interrupted, Stop

T = TypeVar("T")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
PATIENCE_S = 600.0
"""How long is waited between the attempts at one file that does not go on."""


@dataclass(frozen=True)
class Address:
    """Where one file is had from, or goes to, for some time. sha256, size: what its content must have, where known."""

    url: str
    headers: Dict[str, str] = field(default_factory=dict)
    size: Optional[int] = None
    sha256: Optional[str] = None


class TransferFailed(Exception):
    """It did not work, and trying again is right. `str(error)` is for people, in a few words."""


class Refused(TransferFailed):
    """It will not work the next time either: there is no such file, or we may not have it."""


class QuotaReached(Refused):
    """There is no room for it."""


class Web(Protocol):
    """Moves files. Raises TransferFailed, Refused, Interrupted."""

    def get(self, address: Address, file: Path, most: Optional[int], stop: Stop) -> None:
        """Fetch into the file, going on where an earlier attempt broke off. most: bytes that it may have."""

    def put(self, address: Address, file: Path, stop: Stop) -> None:
        """Send the file's content."""


class Objects(Protocol):
    """Whom to ask for addresses of the job's objects. Raises TransferFailed, Refused."""

    def to_get(self, name: str) -> Address:
        """Of an input."""

    def to_put(self, name: str, size: int, sha256: str) -> Address:
        """Of an output."""


def patiently(
    act: Callable[[], T],
    progress: Callable[[], int],
    stop: Stop,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """What `act` gives, tried until it works, with longer and longer pauses. progress: bytes that have come so far.

    Raises Refused at once, TransferFailed when nothing has gone on for PATIENCE_S, Interrupted.
    """
    reached, waited, pause = progress(), 0.0, FIRST_PAUSE_S
    while True:
        try:
            return act()
        except Refused:
            raise
        except TransferFailed:
            if progress() > reached:
                reached, waited, pause = progress(), 0.0, FIRST_PAUSE_S
            if waited + pause > PATIENCE_S:
                raise
        wake_at = clock() + pause
        while clock() < wake_at:
            if stop.requested:
                raise Interrupted
            sleep(min(0.25, max(0.0, wake_at - clock())))
        waited, pause = waited + pause, min(pause * 2, LONGEST_PAUSE_S)
