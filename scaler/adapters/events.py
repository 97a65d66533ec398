"""QueueEvents by HTCondor's log of events, in JSON (EVENT_LOG, EVENT_LOG_FORMAT_OPTIONS).

Its size is looked at, and what is new in it is read only then: that works on every file system, and costs a few
microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from prominence.core import logs
from prominence.core.logfile import end_of, is_current, news
from prominence.scaler.trials import Trials

log = logs.get(__name__)

_BECOMES_IDLE = ("SubmitEvent", "JobReleaseEvent", "JobEvictedEvent", "JobReconnectFailedEvent", "ShadowExceptionEvent")
_END = b"\n}\n"


class EventLog:
    """file: EVENT_LOG. What is in it already has been seen in the queue."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._trouble = False
        self._position = end_of(file)
        self._trials = Trials()

    def failures(self) -> Mapping[str, int]:
        return self._trials.failures()

    def heard(self) -> bool:
        try:
            found = self._read()
        except OSError as error:
            if not self._trouble:
                log.warning("the log of events cannot be read: rounds come at their interval only", error=str(error))
            self._trouble = True
            return False
        self._trouble = False
        return found

    def _read(self) -> bool:
        found = False
        while not is_current(self._file, self._position):
            piece = news(self._file, self._position, _whole)
            self._position = piece.position
            if not piece.content:
                break
            for event in _events(piece.content):
                found = found or event.get("MyType") in _BECOMES_IDLE
                self._trials.see(event)
        return found


def _events(content: bytes) -> Iterator[dict[str, Any]]:
    """What is none is passed over: a file of which half an event is lost has others."""
    for text in content.split(_END):
        try:
            event = json.loads(text + _END) if text.strip() else None
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            yield event


def _whole(content: bytes) -> int:
    return content.rfind(_END) + len(_END) if _END in content else 0
