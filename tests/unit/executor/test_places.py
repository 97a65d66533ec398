from __future__ import annotations

import os
from pathlib import Path

import pytest
from builders_executor import make_tree

from prominence.executor.broker import places
from prominence.executor.broker.spec import Peer

US = Peer(os.getpid(), os.getuid(), os.getgid())


def test_the_owner_cannot_replace_the_directories_that_are_shown_to_containers(tmp_path: Path) -> None:
    place = places.make(str(tmp_path), "s", US)
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o711
    assert (tmp_path / "s").stat().st_uid == os.geteuid()
    assert [Path(path).stat().st_mode & 0o777 for path in (place.home, place.tmp)] == [0o700, 0o700]


def test_a_directory_of_sessions_that_others_may_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(PermissionError, match="root alone"):
        places.prepare(str(tmp_path))


def test_a_directory_of_sessions_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "tasks").symlink_to("real")
    with pytest.raises(PermissionError):
        places.prepare(str(tmp_path / "tasks"))


def test_a_session_is_removed_and_nothing_that_its_links_lead_to(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "kept").touch()
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    home = Path(places.make(str(tasks), "s", US).home)
    (home / "out").symlink_to(outside)
    (home / "a" / "b").mkdir(parents=True)
    (home / "a" / "b" / "out").symlink_to(outside)
    (home / "a" / "b" / "file").touch()
    os.mkfifo(home / "a" / "pipe")
    places.remove(str(tasks), "s")
    assert list(tasks.iterdir()) == []
    assert (outside / "kept").exists() and (outside / "deep").exists()


def test_a_tree_that_is_deeper_than_any_path_is_removed(tmp_path: Path) -> None:
    home = Path(places.make(str(tmp_path), "s", US).home)
    make_tree(home, depth=1500)
    places.remove(str(tmp_path), "s")
    assert list(tmp_path.iterdir()) == []


def test_removing_what_is_not_there_is_fine(tmp_path: Path) -> None:
    places.remove(str(tmp_path), "s")


def test_a_session_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "s").symlink_to("kept")
    with pytest.raises(OSError):
        places.remove(str(tmp_path), "s")
    assert (tmp_path / "kept" / "file").exists()


def test_sessions_are_found_and_other_files_are_not_taken_for_some(tmp_path: Path) -> None:
    places.make(str(tmp_path), "s1", US)
    places.make(str(tmp_path), "s2", US)
    (tmp_path / ".lock").touch()
    (tmp_path / "link").symlink_to("s1")
    assert sorted(places.sessions(str(tmp_path))) == ["s1", "s2"]
