"""The broker's log: a JSON object a line, in the form of `core.logs`, which cannot be carried to a worker."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone
from logging.handlers import RotatingFileHandler
from typing import Any, Dict

SIZE = 10_000_000
KEPT = 3
_LOG = logging.getLogger("prominence.broker")


def configure(file: str) -> None:
    """Write to `file`, put aside when it grows beyond SIZE bytes, or to stderr."""
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if file:
        handler = RotatingFileHandler(file, maxBytes=SIZE, backupCount=KEPT, encoding="utf-8")
    handler.setFormatter(_Lines())
    _LOG.handlers = [handler]
    _LOG.setLevel(logging.INFO)
    _LOG.propagate = False


def info(event: str, **fields: object) -> None:
    """A decision or a hand-over."""
    _LOG.info("%s", event, extra={"fields": fields})


def warning(event: str, **fields: object) -> None:
    """Somebody should look."""
    _LOG.warning("%s", event, extra={"fields": fields})


def exception(event: str, **fields: object) -> None:
    """A mistake of ours, with its traceback."""
    _LOG.error("%s", event, extra={"fields": fields}, exc_info=True)


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: Dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "component": "broker",
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
