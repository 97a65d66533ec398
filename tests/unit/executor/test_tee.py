"""A file for what a task prints: where it is, and what it holds."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from prominence.core.plan import PlannedMount
from prominence.executor import tee
from prominence.executor.ports import WorkerLost
from prominence.executor.sandbox import Workspace, make_workspace

MOUNTS = (PlannedMount("data", "/data"), PlannedMount("deep", "/home/user/deep"))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path, 2)


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/home/user/a", "home/a"),
        ("/home/user/logs/of/a", "home/logs/of/a"),
        ("/data/a", "mount-0/a"),
        ("/home/user/deep/a", "mount-1/a"),
        ("/home/user/deeper/a", "home/deeper/a"),
    ],
)
def test_it_is_where_the_task_would_find_it(workspace: Workspace, path: str, where: str) -> None:
    file = tee.create(path, workspace, MOUNTS)
    os.write(file, b"x")
    os.close(file)
    assert (workspace.home.parent / where).read_text() == "x"


def test_what_was_in_it_before_is_gone(workspace: Workspace) -> None:
    (workspace.home / "a").write_text("before")
    os.close(tee.create("/home/user/a", workspace, MOUNTS))
    assert (workspace.home / "a").read_text() == ""


TRAPS: list[Callable[[Path], object]] = [
    lambda home: (home / "a").symlink_to("/etc/passwd"),
    lambda home: (home / "a").symlink_to(home / "b"),
    lambda home: os.mkfifo(home / "a"),
    lambda home: (home / "a").mkdir(),
]


@pytest.mark.parametrize("trap", TRAPS)
def test_nothing_but_a_regular_file_is_written_to(workspace: Workspace, trap: Callable[[Path], object]) -> None:
    trap(workspace.home)
    before = sorted(workspace.home.iterdir())
    with pytest.raises(tee.CannotBeWritten):
        tee.create("/home/user/a", workspace, MOUNTS)
    assert sorted(workspace.home.iterdir()) == before


def test_no_link_is_followed_on_the_way(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.home / "logs").symlink_to(tmp_path)
    with pytest.raises(tee.CannotBeWritten):
        tee.create("/home/user/logs/a", workspace, MOUNTS)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("path", ["/etc/passwd", "/data", "/datas/a", "/home/users/a"])
def test_elsewhere_there_is_none(workspace: Workspace, path: str) -> None:
    with pytest.raises(tee.CannotBeWritten, match="neither in the job's home nor in what is mounted"):
        tee.create(path, workspace, MOUNTS)


def test_both_streams_go_into_it_and_where_they_went_before(
    workspace: Workspace, capfd: pytest.CaptureFixture[str]
) -> None:
    os.write(1, b"before\n")
    with tee.tee(tee.create("/home/user/a", workspace, MOUNTS)):
        os.write(1, b"out\n")
        os.write(2, b"err\n")
    os.write(1, b"after\n")
    assert capfd.readouterr() == ("before\nout\nafter\n", "err\n")
    assert sorted((workspace.home / "a").read_text().splitlines()) == ["err", "out"]


def test_what_a_full_disk_cuts_off_is_not_taken_for_the_whole(
    workspace: Workspace, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, write = tee.create("/home/user/a", workspace, MOUNTS), os.write

    def full(target: int, data: bytes) -> int:
        if target == file:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(target, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(WorkerLost), tee.tee(file):
        write(1, b"out\n")
    assert capfd.readouterr().out == "out\n"


def test_descriptors_are_closed_in_the_end(workspace: Workspace, capfd: pytest.CaptureFixture[str]) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with tee.tee(tee.create("/home/user/a", workspace, MOUNTS)):
        pass
    assert set(os.listdir("/proc/self/fd")) <= before
