"""What a job's directories hold, told to a user who does not want it to be told."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.executor import diskuse
from prominence.executor.diskuse import Watch, used_kib

PLENTY = 10**9


def a_file(path: Path, kib: int) -> None:
    path.write_bytes(os.urandom(1024) * kib)


def test_files_count_with_their_blocks_and_each_entry_a_little(tmp_path: Path) -> None:
    assert used_kib([str(tmp_path)], PLENTY) == 0
    a_file(tmp_path / "a", 400)
    assert 401 <= used_kib([str(tmp_path)], PLENTY) < 450
    for number in range(100):
        (tmp_path / f"empty-{number}").touch()
    assert 501 <= used_kib([str(tmp_path)], PLENTY) < 550


def test_a_file_of_holes_is_as_large_as_what_is_in_it(tmp_path: Path) -> None:
    os.truncate(os.open(tmp_path / "sparse", os.O_CREAT | os.O_WRONLY), 10**12)
    assert used_kib([str(tmp_path)], PLENTY) < 10


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    a_file(tmp_path / "a", 400)
    os.link(tmp_path / "a", tmp_path / "b")
    assert used_kib([str(tmp_path)], PLENTY) < 450


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    a_file(tmp_path / "outside" / "a", 400)
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "swapped").symlink_to(tmp_path / "outside")
    assert used_kib([str(tmp_path / "inside"), str(tmp_path / "swapped")], PLENTY) < 10


def test_what_is_gone_holds_nothing(tmp_path: Path) -> None:
    assert used_kib([str(tmp_path / "gone")], PLENTY) == 0


def test_a_tree_that_nobody_could_need_so_deep_counts_as_too_much(tmp_path: Path) -> None:
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        for _ in range(600):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)
    assert used_kib([str(tmp_path)], PLENTY) > PLENTY


def test_it_does_not_look_further_than_it_has_to(tmp_path: Path) -> None:
    for number in range(10):
        a_file(tmp_path / str(number), 100)
    assert 150 < used_kib([str(tmp_path)], 150) < 350


@given(st.lists(st.integers(1, 50), max_size=5))
def test_directories_are_added_up(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    top = tmp_path_factory.mktemp("top")
    for number, size in enumerate(sizes):
        below = top / str(number) / "below"
        below.mkdir(parents=True)
        a_file(below / "file", size)
    assert used_kib([str(top)], PLENTY) >= sum(sizes)


class TestWatch:
    @pytest.fixture(autouse=True)
    def at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(diskuse, "LOOK_S", 0.0)

    def test_it_tells_when_there_is_more_than_the_limit_and_looks_no_more(self) -> None:
        told = threading.Event()
        looks = iter([5, 10, 11])
        watch = Watch(lambda: next(looks), 10, told.set)
        assert told.wait(10)
        assert watch.exceeded

    def test_what_a_look_finds_after_the_end_does_not_count(self) -> None:
        looking, go_on, looked = threading.Event(), threading.Event(), threading.Event()

        def look() -> int:
            looking.set()
            go_on.wait(10)
            looked.set()
            return 11

        watch = Watch(look, 10, lambda: pytest.fail("it was told"))
        assert looking.wait(10)
        watch.stop()
        go_on.set()
        assert looked.wait(10)
        assert not watch.exceeded
