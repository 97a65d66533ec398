"""What of the accounts another store has yet to be told, kept in the accounts' own file.

An attempt is put here in the transaction that books it, and goes when the other store has it: so nothing is lost while
that store is away, for however long, and the one who books never waits for it. Each entry has a number that only grows.
An attempt that is booked again gets a new one, and the store keeps what came with the largest.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from prominence.core import logs
from prominence.restapi.adapters import sqlite
from prominence.restapi.adapters.usage_rows import OF_RUN, machine_of_row, run_of_row
from prominence.restapi.booking import Used
from prominence.restapi.copying import Backlog, Entry
from prominence.restapi.usage import UsageRecord

log = logs.get(__name__)

CATCH_UP_S = 3.0
"""For so long a reader waits for what has been booked just now."""

_TABLES = """
CREATE TABLE IF NOT EXISTS unsent (
    entry INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER NOT NULL, number INTEGER NOT NULL, since INTEGER NOT NULL,
    refused TEXT NOT NULL DEFAULT '', UNIQUE (job, number) ON CONFLICT REPLACE
);
CREATE TABLE IF NOT EXISTS copied_to (store TEXT NOT NULL)
"""
_ALL_OF_IT = "INSERT INTO unsent (job, number, since) SELECT job, number, ? FROM attempts ORDER BY job, number"
_COLUMNS = ", ".join(f"attempts.{name}" for name in OF_RUN.split(", "))
_NEXT = f"""
SELECT unsent.entry, attempts.wall_ms, attempts.core_ms, attempts.cpu_ms, attempts.units_ms, attempts.cost,
    attempts.cloud, machines.*, {_COLUMNS}
FROM unsent JOIN attempts USING (job, number) LEFT JOIN machines ON machines.worker = attempts.worker
WHERE unsent.refused = '' ORDER BY unsent.entry LIMIT ?
"""
_OF_RUN_AT = 7 + 9  # behind the figures, and the columns of a machine


def set_up(connection: sqlite.Connection, store: str) -> None:
    """For this store, which is to have all there is; "": for none."""
    if store == "":
        for table in ("unsent", "copied_to"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        return
    for statement in _TABLES.split(";\n"):
        connection.execute(statement)
    # Larger than any before, also after a backup was taken back: the clock moves on faster than entries are made.
    first = time.time_ns() // 1000
    if not connection.execute("SELECT 1 FROM sqlite_sequence WHERE name = 'unsent'").fetchone():
        connection.execute("INSERT INTO sqlite_sequence VALUES ('unsent', 0)")
    connection.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'unsent'", (first,))
    if connection.execute("SELECT store FROM copied_to").fetchone() != (store,):
        connection.execute("DELETE FROM copied_to")
        connection.execute("INSERT INTO copied_to VALUES (?)", (store,))
        connection.execute(_ALL_OF_IT, (int(time.time()),))


def put(connection: sqlite.Connection, attempts: Iterable[tuple[int, int]]) -> None:
    """These attempts have been booked, by their jobs' keys and their numbers."""
    now = int(time.time())
    connection.executemany(
        "INSERT INTO unsent (job, number, since) VALUES (?, ?, ?)", [(*attempt, now) for attempt in attempts]
    )


class Outbox:
    """For the one who sends, in a thread of its own. file: the accounts'."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite.to_write(file)
        with sqlite.together(self._connection):  # what was refused may be taken now
            self._connection.execute("UPDATE unsent SET refused = '' WHERE refused != ''")

    def close(self) -> None:
        """Done."""
        self._connection.close()

    def next(self, most: int) -> list[Entry]:
        """What is to be sent next, the oldest first."""
        rows = list(self._connection.execute(_NEXT, (most,)))
        labels = self._labels({row[_OF_RUN_AT] for row in rows})
        return [_entry(row, labels.get(row[_OF_RUN_AT], {})) for row in rows]

    def sent(self, entries: Sequence[int]) -> None:
        """The store has these. An attempt that was booked again since has another entry, and stays."""
        with sqlite.together(self._connection):
            self._connection.executemany("DELETE FROM unsent WHERE entry = ?", [(entry,) for entry in entries])

    def refused(self, entries: Mapping[int, str]) -> None:
        """The store never takes these as they are, and why: they are kept, and are in nobody's way."""
        with sqlite.together(self._connection):
            self._connection.executemany(
                "UPDATE unsent SET refused = ? WHERE entry = ?", [(why or "?", entry) for entry, why in entries.items()]
            )

    def all_again(self) -> None:
        """The store has nothing."""
        with sqlite.together(self._connection):
            self._connection.execute(_ALL_OF_IT, (int(time.time()),))

    def _labels(self, jobs: set[int]) -> dict[int, dict[str, str]]:
        found: dict[int, dict[str, str]] = {}
        text = "SELECT job, label, value FROM labels WHERE job IN (SELECT value FROM json_each(?))"
        for job, label, value in self._connection.execute(text, (json.dumps(list(jobs)),)):
            found.setdefault(job, {})[label] = value
        return found


class Sending:
    """For those who read the other store: how far it has been told."""

    def __init__(self, file: Path, history: Path) -> None:
        self._kept = sqlite.FollowingFile(file, history)

    def backlog(self) -> Backlog:
        """What it has yet to be told. Raises Unavailable."""
        text = "SELECT refused, COUNT(*), MIN(since) FROM unsent GROUP BY refused"
        with self._kept.reading() as connection:
            rows = list(connection.execute(text))
        waiting = [row for row in rows if row[0] == ""]
        refused = [row for row in rows if row[0] != ""]
        return Backlog(
            waiting=sum(row[1] for row in waiting),
            since=min((row[2] for row in waiting), default=None),
            refused=sum(row[1] for row in refused),
            why=refused[0][0] if refused else "",
        )

    def catch_up(self) -> bool:
        """Wait until it has been told what has left the queue just now, but not for long; whether it has."""
        booked = self._kept.catch_up()
        deadline = time.monotonic() + CATCH_UP_S
        with self._kept.reading() as connection:
            [last] = connection.execute("SELECT MAX(entry) FROM unsent WHERE refused = ''").fetchone()
            while last is not None:
                text = "SELECT 1 FROM unsent WHERE refused = '' AND entry <= ? LIMIT 1"
                if connection.execute(text, (last,)).fetchone() is None:
                    break
                if time.monotonic() > deadline:
                    log.warning("the store of usage is behind the accounts")
                    return False
                time.sleep(0.02)
        return booked


def _entry(row: Sequence[Any], labels: Mapping[str, str]) -> Entry:
    number, *figures = row[:6]
    cloud, machine, run = row[6], row[7:_OF_RUN_AT], row[_OF_RUN_AT:]
    known = machine_of_row(*machine) if cloud and machine[0] is not None else None
    wall_ms, core_ms, cpu_ms, units_ms, cost = figures
    told = replace(run_of_row(*run), labels=labels)
    return Entry(number, UsageRecord(told, Used(wall_ms, core_ms, cpu_ms), known, units_ms, cost))
