"""A file of SQLite that one process writes while any number read, made by following logs: what such files share.

With what is written goes how far the log has been read, so that a crash repeats nothing and loses nothing.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

from prominence.core import logs
from prominence.core.errors import Unavailable
from prominence.core.logfile import Position, is_current

log = logs.get(__name__)

Connection = sqlite3.Connection

RETRY_AFTER_S = 5
CATCH_UP_S = 1.0
"""For so long a reader waits for the writer to book what has left the queue just now."""

POSITIONS = "CREATE TABLE IF NOT EXISTS positions (log TEXT PRIMARY KEY, position TEXT NOT NULL);"


class FollowingFile:
    """For those who read. history: HTCondor's file, to see whether all of it has been booked."""

    def __init__(self, file: Path, history: Path) -> None:
        self._file, self._history = file, history

    def catch_up(self) -> bool:
        """Wait until all is booked that is in the history, but not for long; whether it is."""
        deadline = time.monotonic() + CATCH_UP_S
        while time.monotonic() < deadline:
            with self.reading() as connection:
                if is_current(self._history, position(connection, self._history.name)):
                    return True
            time.sleep(0.02)
        log.warning("the archive is behind HTCondor's history", file=self._file.name)
        return False

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to it. Raises Unavailable."""
        try:
            connection = sqlite3.connect(f"{self._file.absolute().as_uri()}?mode=rw", uri=True, timeout=5)
            try:
                yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            log.error("the archive of finished jobs cannot be read", error=str(error), file=self._file.name)
            raise Unavailable("The archive of finished jobs does not answer at the moment.", RETRY_AFTER_S) from error


def to_write(file: Path) -> sqlite3.Connection:
    """A connection for the one who writes."""
    connection = sqlite3.connect(file, isolation_level=None, timeout=30)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def copy(file: Path, new: Path) -> None:
    """The whole file as it is at one moment, into a new one, whatever is being written. Raises Unavailable."""
    try:
        with (
            closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=30)) as source,
            closing(sqlite3.connect(new)) as target,
        ):
            source.backup(target)
    except sqlite3.Error as error:
        raise Unavailable(f"{file} cannot be copied: {error}", RETRY_AFTER_S) from error


@contextmanager
def together(connection: sqlite3.Connection) -> Iterator[None]:
    """What is written within is there as a whole, or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:  # which takes it back where it cannot be committed, too
        yield


def position(connection: sqlite3.Connection, log_name: str) -> Position:
    """How far a log has been followed."""
    row = connection.execute("SELECT position FROM positions WHERE log = ?", (log_name,)).fetchone()
    return Position(**json.loads(row[0])) if row else Position()


def move(connection: sqlite3.Connection, log_name: str, here: Position) -> None:
    """It has been followed up to here."""
    connection.execute("INSERT OR REPLACE INTO positions VALUES (?, ?)", (log_name, json.dumps(asdict(here))))
