"""Files with images that the worker keeps for all its jobs, lent by its broker."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Optional

from prominence.executor import words
from prominence.executor.adapters.brokerline import Line
from prominence.executor.broker import protocol
from prominence.executor.ports import FetchFailed, Stop


class WebFile(NamedTuple):
    """A file that the worker keeps; the rest is as in `broker.requests.File`."""

    path: Path
    sha256: str
    tag: str
    fresh: bool


class LentFiles:
    """Each is there as long as this object is. broker: its socket.

    All verbs raise RuntimeUnavailable where there is no broker, FetchTimedOut, Interrupted, WorkerLost.
    """

    def __init__(self, broker: str) -> None:
        self._line = Line(broker)

    def image(self, image: str, timeout_s: float | None, stop: Stop) -> Optional[Path]:
        """The image of this name and digest as a file; None: the worker keeps none. Raises FetchFailed."""
        self._line.connect()
        self._line.send(protocol.line("image", image=image))
        answer = self._line.answer_in_time(timeout_s, stop, "the registry takes too long")
        if answer["ok"]:
            return Path(answer["path"])
        if answer["error"] in (protocol.KEEPS_NONE, "refused"):
            return None
        raise FetchFailed(*words.why_not_fetched(answer["message"]))

    def web(self, url: str, sha256: str, stale: str, timeout_s: float | None, stop: Stop) -> Optional[WebFile]:
        """A file that holds an image; None: it cannot be had in this way. See `broker.requests.File`."""
        self._line.connect()
        self._line.send(protocol.line("file", url=url, sha256=sha256, stale=stale))
        answer = self._line.answer_in_time(timeout_s, stop, "the file takes too long")
        if not answer["ok"]:
            return None
        return WebFile(Path(answer["path"]), str(answer["sha256"]), str(answer["tag"]), bool(answer["fresh"]))

    def made(self, sha256: str, timeout_s: float | None, stop: Stop) -> Optional[Path]:
        """What Apptainer makes of a file that the worker keeps; the same holds."""
        self._line.connect()
        self._line.send(protocol.line("made", sha256=sha256))
        answer = self._line.answer_in_time(timeout_s, stop, "Apptainer takes too long with it")
        return Path(answer["path"]) if answer["ok"] else None
