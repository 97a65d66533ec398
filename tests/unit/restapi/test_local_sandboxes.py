"""Sandboxes on disk, into which a worker may send anything."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import uuid
from pathlib import Path

import pytest

from prominence.core import units
from prominence.core.errors import NoRoom, Unavailable
from prominence.restapi.adapters import sandboxes as module
from prominence.restapi.adapters.sandboxes import LocalSandboxes, too_full
from prominence.restapi.ports import LARGEST_READ, Unusable

UID = str(uuid.UUID(int=1))


@pytest.fixture
def sandboxes(tmp_path: Path) -> LocalSandboxes:
    made = LocalSandboxes(tmp_path)
    made.make(UID, {"plan.json": "{}"})
    return made


def test_nobody_else_can_look_into_a_sandbox(sandboxes: LocalSandboxes, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / UID).stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / UID / "plan.json").stat().st_mode) == 0o600


def test_a_link_is_not_followed(sandboxes: LocalSandboxes, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / UID / "stdout").symlink_to(tmp_path / "secret")
    with pytest.raises(Unusable):
        sandboxes.read(UID, "stdout")
    with pytest.raises(Unusable):
        sandboxes.open(UID, "stdout")


def test_what_is_no_file_is_not_read_nor_waited_for(sandboxes: LocalSandboxes, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / UID / "pipe")
    (tmp_path / UID / "directory").mkdir()
    for name in ("pipe", "directory"):
        with pytest.raises(Unusable, match="regular"):
            sandboxes.open(UID, name)


def test_a_small_file_may_not_be_large(sandboxes: LocalSandboxes, tmp_path: Path) -> None:
    (tmp_path / UID / "report.json").write_bytes(b"x" * LARGEST_READ)
    assert len(sandboxes.read(UID, "report.json") or b"") == LARGEST_READ
    (tmp_path / UID / "report.json").write_bytes(b"x" * (LARGEST_READ + 1))
    with pytest.raises(Unusable, match="larger"):
        sandboxes.read(UID, "report.json")


@pytest.mark.parametrize("uid", ["", ".", "..", "../x", "/etc", "x", f"{UID}/..", f"{UID}\n"])
def test_only_uids_are_places_for_files(uid: str, sandboxes: LocalSandboxes) -> None:
    for verb in (sandboxes.discard, sandboxes.exists):
        with pytest.raises(Unusable):
            verb(uid)


def test_a_second_job_does_not_get_the_first_ones_sandbox(sandboxes: LocalSandboxes) -> None:
    with pytest.raises(Unavailable):
        sandboxes.make(UID, {"plan.json": "other"})
    assert sandboxes.read(UID, "plan.json") == b"{}"


def test_a_sandbox_is_there_whole_or_not_at_all(
    sandboxes: LocalSandboxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def until_full(path: Path, text: str) -> None:
        if written:
            raise OSError(errno.ENOSPC, "No space left on device")
        path.write_text(text)
        written.append(path)

    monkeypatch.setattr(module, "_write", until_full)
    other = str(uuid.UUID(int=2))
    with pytest.raises(NoRoom, match="no room"):
        sandboxes.make(other, {"a": "1", "b": "2"})
    assert [path.name for path in tmp_path.iterdir()] == [UID]


def test_a_disk_takes_jobs_while_it_has_what_is_kept_for_those_it_has() -> None:
    assert too_full(1024, 1024) == ""
    assert too_full(0, 0) == ""
    assert "1023 MiB of its disk are free, and 1024 MiB are kept" in too_full(1023, 1024)


def test_a_disk_that_is_nearly_full_refuses_new_jobs_and_reads_old_ones(
    sandboxes: LocalSandboxes, tmp_path: Path
) -> None:
    free_mib = units.mib_of_bytes(shutil.disk_usage(tmp_path).free)
    cautious = LocalSandboxes(tmp_path, min_free_mib=2 * free_mib + 1)
    with pytest.raises(NoRoom, match="make room"):
        cautious.make(str(uuid.UUID(int=2)), {})
    assert cautious.read(UID, "plan.json") == b"{}"
    assert [path.name for path in tmp_path.iterdir()] == [UID]


def test_a_place_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot store"):
        LocalSandboxes(tmp_path / "missing").make(UID, {})


@pytest.mark.parametrize(
    "uid", [f"{UID}/..", f"{UID}/../x", f"{UID}/", f"{UID}/01", f"{UID}/1/2", f"{UID}/x", f"/{UID}"]
)
def test_no_uid_leads_out_of_its_directory(uid: str, sandboxes: LocalSandboxes) -> None:
    with pytest.raises(Unusable, match="is not the uid of a job"):
        sandboxes.read(uid, "plan.json")


def test_an_array_is_as_young_as_the_youngest_of_its_members(tmp_path: Path) -> None:
    sandboxes = LocalSandboxes(tmp_path)
    sandboxes.make(UID, {"plan.json": "{}"}, {"0": {}, "1": {}})
    for directory, changed_at in (("", 1000), ("0", 3000), ("1", 2000)):
        os.utime(tmp_path / UID / directory, (changed_at, changed_at))
    assert sandboxes.last_changes()[UID].timestamp() == 3000


def test_an_array_that_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, "full")

    sandboxes = LocalSandboxes(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(NoRoom):
        patch.setattr(module, "_write", full)
        sandboxes.make(UID, {}, {"0": {}, "1": {"token": "x"}})
    assert list(tmp_path.iterdir()) == []
