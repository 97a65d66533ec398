"""What the executor needs of the outside for files: addresses from the API, and the web; and the patience with both."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, List, Optional, Protocol, Tuple, TypeVar

from prominence.core.plan import PATIENCE_S
from prominence.executor.ports import Interrupted, Stop

T = TypeVar("T")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0


@dataclass(frozen=True)
class Address:
    """Where one file is had from, or goes to, for some time. sha256, size: what its content must have, where known.

    tells_checksum: of where one goes to, whether the answer tells the checksum of what has arrived.
    """

    url: str
    headers: Dict[str, str] = field(default_factory=dict)
    size: Optional[int] = None
    sha256: Optional[str] = None
    tells_checksum: bool = False


class TransferFailed(Exception):
    """It did not work, and trying again is right. `str(error)` is for people, in a few words."""


class Refused(TransferFailed):
    """It will not work the next time either: there is no such file, or we may not have it."""


class NotThere(Refused):
    """There is nothing of that name."""


class AddressRefused(Refused):
    """Not from this address. A signed one may have expired, and the next one do."""


class QuotaReached(Refused):
    """There is no room for it."""


class Web(Protocol):
    """Moves files. Raises TransferFailed, Refused, Interrupted."""

    def get(self, address: Address, file: Path, most: Optional[int], stop: Stop) -> str:
        """Fetch into the file, going on where an earlier attempt broke off. most: bytes that it may have.

        The tag by which its server knows this content and no other; "" where it has none.
        """

    def is_still(self, address: Address, tag: str) -> bool:
        """Whether what is there now is the content with this tag."""

    def put(self, address: Address, file: Path, stop: Stop) -> Optional[str]:
        """Send the file's content. Its SHA-256 where the answer tells it, as that of what has arrived."""


class Objects(Protocol):
    """Whom to ask for addresses of the job's objects. Raises TransferFailed, Refused."""

    def to_get(self, name: str) -> Address:
        """Of an input."""

    def to_put(self, name: str, size: int, sha256: Optional[str]) -> Address:
        """Of an output. sha256: None as long as it is not known."""

    def passed(self, number: int, instance: int) -> List[Tuple[str, bool]]:
        """Names of what an instance of another job passes, and whether each is a directory's archive.

        number: which of those artifacts that other jobs pass.
        """

    def to_get_passed(self, number: int, instance: int, name: str) -> Address:
        """Of one of them."""


def patiently(
    act: Callable[[], T],
    progress: Callable[[], int],
    stop: Stop,
    patience_s: float = PATIENCE_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """What `act` gives, tried until it works, with longer and longer pauses. progress: bytes that have come so far.

    It asks for an address each time. Raises Refused at once, but AddressRefused only when a new address is refused,
    too; TransferFailed when it was waited `patience_s` and nothing went on; Interrupted.
    """
    reached, waited, pause, renewed = progress(), 0.0, FIRST_PAUSE_S, False
    while True:
        try:
            return act()
        except AddressRefused:
            if renewed:
                raise
            renewed = True
            continue
        except Refused:
            raise
        except TransferFailed:
            renewed = False
            if progress() > reached:
                reached, waited, pause = progress(), 0.0, FIRST_PAUSE_S
            if waited + pause > patience_s:
                raise
        wake_at = clock() + pause
        while clock() < wake_at:
            if stop.requested:
                raise Interrupted
            sleep(min(0.25, max(0.0, wake_at - clock())))
        waited, pause = waited + pause, min(pause * 2, LONGEST_PAUSE_S)
