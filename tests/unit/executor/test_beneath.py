"""What a job keeps is beneath its home, however its tasks have laid their links."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from prominence.executor import beneath


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    (made / "run" / "deep").mkdir(parents=True)
    for name in ("b.txt", "a.txt", "run/c.txt", "run/deep/d.txt", ".hidden.txt"):
        (made / name).write_text(name)
    (tmp_path / "secret").write_text("secret")
    return made


def read(home: Path, path: str) -> str:
    with os.fdopen(beneath.open_file(home, path)) as file:
        return file.read()


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a.txt", ["a.txt"]), ("*.txt", ["a.txt", "b.txt"]), ("b*", ["b.txt"]), ("run/*.txt", ["run/c.txt"]),
        ("*/*/d.txt", ["run/deep/d.txt"]),
        ("run", []), ("*.csv", []), ("run/deep/d.txt/x", []), (".h*", [".hidden.txt"]), ("?.txt", ["a.txt", "b.txt"]),
    ],
)  # fmt: skip
def test_all_files_that_match_are_found(home: Path, pattern: str, found: list[str]) -> None:
    assert beneath.matches(home, pattern) == found


def test_of_one_pattern_no_more_are_found_than_anybody_wants(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beneath, "MOST_MATCHES", 1)
    assert beneath.matches(home, "*.txt") == ["a.txt"]


def test_a_name_is_meant_as_it_is_before_it_is_a_pattern(home: Path) -> None:
    (home / "[x].txt").write_text("brackets")
    assert beneath.matches(home, "[x].txt") == ["[x].txt"]


def test_links_are_followed_as_the_tasks_see_them(home: Path) -> None:
    (home / "near").symlink_to("run/c.txt")
    (home / "far").symlink_to("/home/user/run/deep")
    (home / "run" / "up").symlink_to("../a.txt")
    assert read(home, "near") == "run/c.txt"
    assert read(home, "far/d.txt") == "run/deep/d.txt"
    assert read(home, "run/up") == "a.txt"
    far = beneath.open_directory(home, "far")
    assert os.path.samestat(os.fstat(far), os.stat(home / "run" / "deep"))
    os.close(far)


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../secret", "/home/user/../../secret", "/home/username", "loop", "/"]
)
def test_a_link_that_leads_out_leads_nowhere(home: Path, target: str) -> None:
    (home / "loop").symlink_to("loop") if target == "loop" else (home / "out").symlink_to(target)
    name = "loop" if target == "loop" else "out"
    with pytest.raises(OSError):
        beneath.open_file(home, name)
    with pytest.raises(OSError):
        beneath.open_directory(home, f"{name}/x")
    assert beneath.matches(home, name) == []


@pytest.mark.parametrize("path", ["run", "pipe", "nothing", ""])
def test_what_is_no_regular_file_is_not_opened(home: Path, path: str) -> None:
    os.mkfifo(home / "pipe")
    with pytest.raises(OSError):
        beneath.open_file(home, path)
