from __future__ import annotations

from pathlib import Path

import pytest

from prominence.executor.ports import RuntimeFailed
from prominence.executor.sandbox import check, make_directory, make_workdir, make_workspace


def test_home_and_tmp_are_the_jobs_alone(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    assert (workspace.home, workspace.tmp) == (tmp_path.resolve() / "home", tmp_path.resolve() / "tmp")
    assert workspace.home.stat().st_mode & 0o777 == 0o700


def test_making_them_again_is_fine(tmp_path: Path) -> None:
    (make_workspace(tmp_path).home / "kept").touch()
    assert (make_workspace(tmp_path).home / "kept").exists()


@pytest.mark.parametrize("target", ["/", "nowhere", "home"])
def test_a_link_in_the_place_of_a_directory_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "home").symlink_to(target)
    with pytest.raises(RuntimeFailed, match="home is not the directory"):
        make_directory(tmp_path, "home")


def test_a_file_in_the_place_of_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(RuntimeFailed):
        make_directory(tmp_path, "home")


def test_a_directory_that_is_gone_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailed, match="no longer there"):
        check(tmp_path / "home")


def test_a_sandbox_that_takes_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailed, match="cannot be made"):
        make_directory(tmp_path / "missing", "home")


def test_a_working_directory_in_the_home_is_made(tmp_path: Path) -> None:
    make_workdir(tmp_path, "/home/user/a/b")
    make_workdir(tmp_path, "/home/user/a/c")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["b", "c"]


@pytest.mark.parametrize("workdir", ["/home/user", "/opt/x", "/home/user/../../x", "/home/userx/y", "/"])
def test_nothing_is_made_for_one_elsewhere(tmp_path: Path, workdir: str) -> None:
    home = tmp_path / "a" / "b" / "home"
    home.mkdir(parents=True)
    make_workdir(home, workdir)
    assert [path for path in tmp_path.rglob("*") if path not in (home, *home.parents)] == []


def test_no_link_is_followed_to_make_one(tmp_path: Path) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    home.mkdir()
    outside.mkdir()
    (home / "out").symlink_to(outside)
    make_workdir(home, "/home/user/out/made")
    assert list(outside.iterdir()) == []


def test_a_home_that_was_swapped_for_a_link_gets_nothing(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "outside")
    make_workdir(tmp_path / "home", "/home/user/made")
    assert list((tmp_path / "outside").iterdir()) == []
