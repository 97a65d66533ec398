"""The job's storage: mounted and tried before its first task, and let go after the last, when all has come there."""

from __future__ import annotations

import time
from typing import Callable, Optional, Protocol, Sequence

from prominence.core.plan import PATIENCE_S
from prominence.core.reasons import Reason
from prominence.core.report import Outcome
from prominence.executor import exits
from prominence.executor.failures import STOPPED, Failure
from prominence.executor.ports import Attached, Interrupted, Stop
from prominence.executor.transfer import Refused, TransferFailed, patiently

_LOOK_S = 0.25


class Driver(Protocol):
    """One way to have storage as a directory. Nobody uses it before `mount` nor after `unmount`."""

    def mount(self, stop: Stop) -> Attached:
        """Raises TransferFailed, Refused, RuntimeTrouble, Interrupted."""

    def try_it(self, stop: Stop) -> None:
        """Whether the server lets us in. Raises TransferFailed, Refused, RuntimeTrouble, Interrupted."""

    def works(self) -> bool:
        """Whether it is still mounted."""

    def unwritten(self) -> Sequence[str]:
        """The files that were written and are not there yet."""

    def trouble(self, files: Sequence[str]) -> Optional[TransferFailed]:
        """Why one of these was not stored when it was tried last; None where it was not tried, or is being stored."""

    def moved(self) -> int:
        """Bytes that went to the server and came from it so far."""

    def unmount(self, patience_s: float) -> None:
        """Leave nothing of it here. May be repeated, and called where it was never mounted."""


class Storage:
    """`worker.Storage` of a driver."""

    def __init__(
        self,
        driver: Driver,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._driver, self._patience_s, self._clock, self._sleep = driver, patience_s, clock, sleep
        self.attached: Optional[Attached] = None

    def mount(self, stop: Stop) -> Optional[Failure]:
        """Why it could not be."""

        def once() -> None:
            self.attached = self.attached or self._driver.mount(stop)
            self._driver.try_it(stop)

        try:
            patiently(once, lambda: 0, stop, self._patience_s, self._clock, self._sleep)
        except Refused as error:
            return _failed(Reason.STORAGE_MOUNT_FAILED, str(error))
        except TransferFailed as error:
            return _failed(Reason.STORAGE_UNAVAILABLE, str(error))
        except Interrupted:
            return STOPPED
        return None

    def end(self, stop: Stop) -> Optional[Failure]:
        """Wait until all that was written is there, and unmount it; why that did not work. May be repeated."""
        try:
            return None if self.attached is None else self._wait(stop)
        finally:
            self.attached = None
            self._driver.unmount(self._patience_s)

    def _wait(self, stop: Stop) -> Optional[Failure]:
        """As long as it goes on. What is tried in vain goes on only when a file less is missing."""
        seen: object = None
        since = self._clock()
        while files := self._driver.unwritten():
            trouble = self._driver.trouble(files)
            if not self._driver.works():
                return _not_written(files, "what had it mounted has ended before its time")
            if stop.requested or isinstance(trouble, Refused):
                return _not_written(files, str(trouble or "the job had no time left for that"))
            now = (len(files), self._driver.moved() if trouble is None else None)
            if now != seen:
                seen, since = now, self._clock()
            if self._clock() - since > self._patience_s:
                return _not_written(files, str(trouble or "nothing of it was taken for a long time"))
            self._sleep(_LOOK_S)
        return None if self._driver.works() else _not_written((), "what had it mounted has ended before its time")


def _not_written(files: Sequence[str], why: str) -> Failure:
    named = f"{files[0][:200]}{f' and {len(files) - 1} more' if len(files) > 1 else ''}: " if files else ""
    return _failed(Reason.STORAGE_NOT_WRITTEN, f"{named}{why}")


def _failed(reason: Reason, detail: str) -> Failure:
    return Failure(Outcome.SYSTEM_FAILED, reason, exits.SYSTEM_FAILED, {"detail": detail})
