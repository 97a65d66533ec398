"""The images that the worker keeps for all its jobs, had from its broker by their digests, or those of their files."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import List, Mapping, Optional, Tuple

from prominence.executor import registry
from prominence.executor.adapters.lentfiles import LentFiles
from prominence.executor.ports import RuntimeUnavailable, Stop
from prominence.executor.transfer import Address, TransferFailed, Web

_LOOKS = 3
"""How often a file may change while it is fetched."""


class WorkerImages:
    """As one job has them. broker: its socket."""

    def __init__(self, broker: str) -> None:
        self._broker = broker
        self._in_use: List[LentFiles] = []

    def fetch(
        self, image: str, proxies: Mapping[str, str], timeout_s: float | None, stop: Stop
    ) -> Optional[Tuple[Path, str]]:
        """The image's file and digest; None where it cannot be had in this way.

        Raises FetchTimedOut, FetchFailed, Interrupted, WorkerLost.
        """
        exact = registry.exact(image, proxies)
        if exact is None:
            return None
        lent = LentFiles(self._broker)
        with suppress(RuntimeUnavailable):  # a worker without a broker keeps none
            file = lent.image(exact, timeout_s, stop)
            if file is not None:
                self._in_use.append(lent)  # as long as it is connected
                return file, exact.rpartition("@")[2]
        return None

    def file(self, address: Address, web: Web, timeout_s: float | None, stop: Stop) -> Optional[Tuple[Path, str]]:
        """A file that holds an image, as it is at the address now, and its checksum; None: it is not to be had so.

        Raises FetchTimedOut, Interrupted, WorkerLost.
        """
        if address.headers:
            return None  # of these the worker knows nothing
        lent, stale = LentFiles(self._broker), ""
        with suppress(RuntimeUnavailable, TransferFailed):
            for _ in range(_LOOKS):
                found = lent.web(address.url, address.sha256 or "", stale, timeout_s, stop)
                if found is None:
                    return None
                if address.sha256 or found.fresh or web.is_still(address, found.tag):
                    self._in_use.append(lent)
                    return found.path, found.sha256
                stale = found.tag
        return None

    def made(self, sha256: str, timeout_s: float | None, stop: Stop) -> Optional[Path]:
        """What Apptainer makes of a file with this checksum, where the worker keeps that; None: it is the job's to do.

        Raises FetchTimedOut, Interrupted, WorkerLost.
        """
        lent = LentFiles(self._broker)
        with suppress(RuntimeUnavailable):
            found = lent.made(sha256, timeout_s, stop)
            if found is not None:
                self._in_use.append(lent)
            return found
        return None
