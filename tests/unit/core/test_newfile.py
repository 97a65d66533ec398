"""A new file is whole, is its owner's alone, and takes nobody's place."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from prominence.core.newfile import new_file


def test_it_is_there_when_it_is_whole(tmp_path: Path) -> None:
    with new_file(tmp_path / "a") as stream:
        stream.write(b"whole")
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a").read_bytes() == b"whole"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / ".a.new").write_text("of one that was killed")
    with pytest.raises(KeyError), new_file(tmp_path / "a") as stream:
        stream.write(b"half")
        raise KeyError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_what_is_there_already_stays(tmp_path: Path, when: str) -> None:
    if when == "before":
        (tmp_path / "a").symlink_to("nowhere")
    with pytest.raises(FileExistsError, match="a is there already"), new_file(tmp_path / "a") as stream:
        stream.write(b"new")
        (tmp_path / "a").symlink_to("nowhere")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").is_symlink()


def test_of_two_who_write_at_once_one_is_told_and_the_other_is_whole(tmp_path: Path) -> None:
    with ExitStack() as outer:
        with pytest.raises(FileExistsError, match="another program"), new_file(tmp_path / "a") as early:
            late = outer.enter_context(new_file(tmp_path / "a"))
            late.write(b"half")
            early.write(b"whole")
        late.write(b" and half")
    assert (tmp_path / "a").read_bytes() == b"half and half"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_where_it_cannot_be_the_file_is_named_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error, new_file(tmp_path / "nowhere" / "a"):
        pass
    assert error.value.filename == str(tmp_path / "nowhere" / "a")
