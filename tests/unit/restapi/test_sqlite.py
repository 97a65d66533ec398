"""What is written together."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from prominence.restapi.adapters import sqlite

TABLES = "CREATE TABLE a (id PRIMARY KEY); CREATE TABLE b (a REFERENCES a DEFERRABLE INITIALLY DEFERRED);"


def test_what_cannot_be_committed_is_taken_back_and_the_next_goes_on(tmp_path: Path) -> None:
    with closing(sqlite.to_write(tmp_path / "a.db")) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executescript(TABLES)
        with pytest.raises(sqlite3.IntegrityError), sqlite.together(connection):
            connection.execute("INSERT INTO b VALUES (1)")
        with sqlite.together(connection):
            connection.execute("INSERT INTO a VALUES (2)")
        assert connection.execute("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)").fetchall() == [(1, 0)]


def test_what_is_broken_off_is_taken_back(tmp_path: Path) -> None:
    with closing(sqlite.to_write(tmp_path / "a.db")) as connection:
        connection.executescript(TABLES)
        with pytest.raises(KeyError), sqlite.together(connection):
            connection.execute("INSERT INTO a VALUES (1)")
            raise KeyError
        assert connection.execute("SELECT count(*) FROM a").fetchall() == [(0,)]
