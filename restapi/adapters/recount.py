"""The end of HTCondor's history beside what is booked of it in the file of SQLite."""

from __future__ import annotations

import json
from pathlib import Path

from prominence.core.errors import Unavailable
from prominence.restapi.adapters import sqlite
from prominence.restapi.drift import Drift, compare, recount

MOST_BYTES = 4 * 1024 * 1024
"""Of the history: some hundred jobs, counted again in a twentieth of a second."""


class HistoryRecount:
    """file: the accounts. history: HTCondor's file, which they follow."""

    def __init__(self, file: Path, history: Path, most: int = MOST_BYTES) -> None:
        self._kept, self._history, self._most = sqlite.FollowingFile(file, history), history, most

    def drift(self) -> Drift:
        """Of the jobs at the end of what has been booked. What has not been yet is no drift. Raises Unavailable."""
        with self._kept.reading() as connection:
            until = sqlite.position(connection, self._history.name)
            counted = recount(self._text(until.inode, until.offset))
            text = "SELECT job, SUM(core_ms) FROM attempts WHERE job IN (SELECT value FROM json_each(?)) GROUP BY job"
            return compare(counted, dict(connection.execute(text, (json.dumps(list(counted)),))))

    def _text(self, inode: int, end: int) -> str:
        """Whole records; none where the history goes on under this name in another file."""
        try:
            if not end or self._history.stat().st_ino != inode:
                return ""
            with open(self._history, "rb") as log:
                log.seek(max(0, end - self._most))
                content = log.read(end - max(0, end - self._most))
        except OSError as error:
            raise Unavailable("HTCondor's history cannot be read.") from error
        if end > self._most:  # it begins within a record
            content = content.partition(b"\n*** ")[2].partition(b"\n")[2]
        return content.decode("utf-8", "replace")
