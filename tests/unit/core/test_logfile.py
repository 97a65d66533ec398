"""Following a file that grows and is given other names: what is new in it, whatever it is called by now."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import logfile
from prominence.core.logfile import Position, end_of, is_current, news


def lines(content: bytes) -> int:
    """Records that are lines."""
    return content.rfind(b"\n") + 1


class TestNews:
    @given(data=st.data())
    def test_every_record_is_read_once_and_in_order(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        log = tmp_path_factory.mktemp("log") / "log"
        position, written, read, rotations = Position(), 0, b"", 0
        for act in data.draw(st.lists(st.sampled_from(["write", "write", "read", "rotate"]), max_size=30)):
            if act == "write":
                with open(log, "ab") as file:
                    file.write(b"%d%s\n" % (written, b"x" * data.draw(st.integers(0, 20))))
                written += 1
            elif act == "rotate" and log.exists():
                rotations += 1
                log.rename(log.with_name(f"log.{rotations:03}"))
            elif act == "read":
                found = news(log, position, lines, piece=8)
                read, position = read + found.content, found.position
        while (found := news(log, position, lines, piece=8)).content:
            read, position = read + found.content, found.position
        assert [int(line.rstrip(b"x")) for line in read.splitlines()] == list(range(written))

    def test_half_a_record_is_left_for_the_next_time(self, tmp_path: Path) -> None:
        log = tmp_path / "log"
        log.write_bytes(b"one\ntw")
        first = news(log, Position(), lines)
        assert first.content == b"one\n"
        assert news(log, first.position, lines).content == b""
        with open(log, "ab") as file:
            file.write(b"o\n")
        assert news(log, first.position, lines).content == b"two\n"

    def test_half_a_record_at_the_end_of_an_older_file_is_passed_over(self, tmp_path: Path) -> None:
        (tmp_path / "log.1").write_bytes(b"one\ntw")
        (tmp_path / "log").write_bytes(b"three\n")
        first = news(tmp_path / "log", Position(), lines)
        assert first.content == b"one\n"
        assert news(tmp_path / "log", first.position, lines).content == b"three\n"

    def test_another_file_with_the_same_inode_is_not_the_same(self, tmp_path: Path) -> None:
        log = tmp_path / "log"
        log.write_bytes(b"one\ntwo\n")
        before = news(log, Position(), lines).position
        log.write_bytes(b"six\nnine\n")  # in place: the inode stays
        assert news(log, before, lines).content == b"six\nnine\n"

    def test_what_is_not_there_has_no_news(self, tmp_path: Path) -> None:
        assert news(tmp_path / "log", Position(), lines).content == b""
        assert is_current(tmp_path / "log", Position())

    def test_the_last_word_is_known(self, tmp_path: Path) -> None:
        log = tmp_path / "log"
        log.write_bytes(b"one\n")
        assert not is_current(log, Position())
        position = news(log, Position(), lines).position
        assert is_current(log, position)
        log.rename(tmp_path / "log.1")
        log.write_bytes(b"two\n")
        assert not is_current(log, position)

    @pytest.mark.parametrize("behind", [False, True])
    def test_a_name_that_changes_while_one_looks_repeats_nothing_and_leaves_nothing_out(
        self, behind: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log, listed = tmp_path / "log", logfile._oldest_first
        if behind:
            (tmp_path / "log.0").write_bytes(b"one\n")
            os.utime(tmp_path / "log.0", (0, 0))
        else:
            log.write_bytes(b"one\n")
        position = news(log, Position(), lines).position
        with open(log, "ab") as file:
            file.write(b"two\n")
        renamed: list[Path] = []

        def list_and_rename(file: Path) -> list[Path]:
            found = listed(file)
            if not renamed:
                renamed.append(log.rename(tmp_path / "log.1"))
                log.write_bytes(b"three\n")
            return found

        monkeypatch.setattr(logfile, "_oldest_first", list_and_rename)
        read = b""
        while (found := news(log, position, lines)).content:
            read, position = read + found.content, found.position
        assert (read, len(renamed)) == (b"two\nthree\n", 1)

    def test_a_copy_is_followed_from_where_the_file_was(self, tmp_path: Path) -> None:
        there, here = tmp_path / "there", tmp_path / "here"
        there.mkdir()
        (there / "log.1").write_bytes(b"".join(b"%d\n" % number for number in range(1000)))
        (there / "log").write_bytes(b"one\ntwo\n")
        first = news(there / "log", Position(), lines)
        second = news(there / "log", first.position, lines, piece=6)
        shutil.copytree(there, here)
        assert news(here / "log", first.position, lines).content == b"one\ntwo\n"
        third = news(here / "log", second.position, lines)
        assert (second.content, third.content) == (b"one\n", b"two\n")
        assert is_current(here / "log", third.position)
        ended = news(there / "log", second.position, lines).position
        moved = news(here / "log", ended, lines)
        assert (moved.content, moved.position) == (b"", third.position)
        with open(here / "log", "ab") as file:
            file.write(b"three\n")
        assert news(here / "log", third.position, lines).content == b"three\n"

    def test_whoever_begins_at_the_end_hears_of_what_comes_after(self, tmp_path: Path) -> None:
        log = tmp_path / "log"
        assert end_of(log) == Position()
        log.write_bytes(b"one\ntwo\n" * 50)
        position = end_of(log)
        assert is_current(log, position)
        with open(log, "ab") as file:
            file.write(b"three\n")
        log.rename(tmp_path / "log.1")
        log.write_bytes(b"four\n")
        found = news(log, position, lines)
        assert found.content == b"three\n"
        assert news(log, found.position, lines).content == b"four\n"
