"""One JSON object per line and event: a short constant message, then ids and figures as fields.

    log = get(__name__)
    log.info("worker created", worker=name, cloud=cloud)

Levels: info is a decision or a hand-over, warning is for somebody to look at, error for a human to act on, debug
for the developer. Secrets and what users send are never logged. A line that belongs to a request has its id: `request`.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import sys
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from prominence.core import tracing
from prominence.core.errors import Rejected

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

SIZE = 10_000_000
KEPT = 5
"""A file is put aside when it would grow beyond SIZE bytes; KEPT old ones stay, the oldest has the highest number."""


class Log:
    """The standard library's logger with keyword fields."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, event: str, /, **fields: object) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, /, **fields: object) -> None:
        """An error with the traceback of the exception being handled."""
        self._write(logging.ERROR, event, fields, traceback=True)

    def _write(self, level: int, event: str, fields: dict[str, object], traceback: bool = False) -> None:
        # The event is no format string: a % in it stands for itself.
        self._logger.log(level, "%s", event, extra={"fields": fields}, exc_info=traceback)


def get(name: str) -> Log:
    """The log of a module, given its __name__."""
    # Started with `python -m`, a module is called __main__; it is ours all the same.
    return Log(logging.getLogger(name if name.startswith("prominence") else f"prominence.{name}"))


def configure(component: str, file: Path | None = None, level: str = "INFO") -> None:
    """Write our events from `level` on, and other libraries' warnings, to `file` or else to stderr.

    Called again it replaces what it did before. Raises Rejected for a level or a file that cannot be.
    """
    if level.upper() not in LEVELS:
        raise Rejected.because(f"the level of the log must be one of {', '.join(LEVELS)}, not {level!r}")
    handler = _handler(file)
    handler.setFormatter(JsonLines(component))
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old.formatter, JsonLines)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("prominence").setLevel(level.upper())


def _handler(file: Path | None) -> logging.Handler:
    if file is None:
        return logging.StreamHandler(sys.stderr)
    try:
        return SharedFile(file)
    except OSError as error:
        raise Rejected.because(f"the log cannot be written: {error.strerror}", str(file)) from error


class JsonLines(logging.Formatter):
    def __init__(self, component: str) -> None:
        super().__init__()
        self._component = component

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "component": self._component,
            "event": record.getMessage(),
            **({"request": request} if (request := tracing.current()) else {}),
        }
        for key, value in getattr(record, "fields", {}).items():
            line[f"{key}_" if key in line else key] = value
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        # ASCII, so that text which no encoding can hold does not lose the line.
        return json.dumps(line, default=str)


class SharedFile(RotatingFileHandler):
    """A file that several processes (the API's) may write: one of them puts it aside, the others follow.

    What cannot be written, say because the disk is full, is lost; whoever logs it goes on.
    """

    def __init__(self, file: Path) -> None:
        super().__init__(file, maxBytes=SIZE, backupCount=KEPT, encoding="utf-8")

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._was_put_aside():
                self._reopen()
        except OSError:
            self.handleError(record)
        else:
            super().emit(record)

    def doRollover(self) -> None:
        with open(f"{self.baseFilename}.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._was_put_aside():
                self._reopen()
            else:
                super().doRollover()

    def _was_put_aside(self) -> bool:
        try:
            now = os.stat(self.baseFilename)
        except FileNotFoundError:
            return True
        if self.stream is None:
            return True
        ours = os.fstat(self.stream.fileno())
        return (now.st_dev, now.st_ino) != (ours.st_dev, ours.st_ino)

    def _reopen(self) -> None:
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.close()  # which may fail: it writes what is left
        self.stream = self._open()
