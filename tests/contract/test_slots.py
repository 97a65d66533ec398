"""What the broker believes of a slot, on real files of different owners, which only root can arrange."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from prominence.executor.broker.engine import Host
from prominence.executor.broker.slots import NoSlot, claim
from prominence.executor.broker.spec import Peer

SLOT_UID = 20001
AD = 'Name = "slot1_1@w"\nCpus = 2\nMemory = 3000\nDisk = 204800\n'


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    """A sandbox as HTCondor makes it."""
    sandbox = tmp_path / "execute" / "dir_17"
    sandbox.mkdir(parents=True)
    (sandbox / ".machine.ad").write_text(AD)
    os.chown(sandbox, SLOT_UID, SLOT_UID)
    return sandbox


def limits(sandbox: Path | str, execute_dir: Path, uid: int = SLOT_UID) -> Host:
    slot = claim(str(execute_dir), str(sandbox), Peer(99, uid, uid))
    os.close(slot.descriptor)
    return slot.limits


def test_a_job_has_what_its_slot_has(sandbox: Path) -> None:
    assert limits(sandbox, sandbox.parent) == Host(cpus=2, memory_mib=3000)


def test_another_users_sandbox_is_refused(sandbox: Path) -> None:
    with pytest.raises(NoSlot, match="another user"):
        limits(sandbox, sandbox.parent, uid=SLOT_UID + 1)


@pytest.mark.parametrize("path", ["", "/", "/tmp/dir_17", "{execute}/../dir_17", "{execute}/dir_17/deeper", "dir_17"])
def test_a_directory_elsewhere_is_refused(sandbox: Path, path: str) -> None:
    with pytest.raises(NoSlot, match="not the sandbox"):
        limits(path.format(execute=sandbox.parent), sandbox.parent)


@pytest.mark.parametrize("name", ["..", ".", "", "missing"])
def test_what_is_no_sandbox_is_refused(sandbox: Path, name: str) -> None:
    with pytest.raises(NoSlot):
        limits(f"{sandbox.parent}/{name}", sandbox.parent)


def test_a_link_is_refused(sandbox: Path) -> None:
    (sandbox.parent / "dir_18").symlink_to(sandbox)
    with pytest.raises(NoSlot, match="cannot be opened"):
        limits(sandbox.parent / "dir_18", sandbox.parent)


def test_an_ad_of_the_users_own_is_refused(sandbox: Path) -> None:
    os.chown(sandbox / ".machine.ad", SLOT_UID, SLOT_UID)
    with pytest.raises(NoSlot, match="not HTCondor's"):
        limits(sandbox, sandbox.parent)


def test_an_ad_that_others_may_write_or_that_is_elsewhere_too_is_refused(sandbox: Path) -> None:
    os.link(sandbox / ".machine.ad", sandbox / "second")
    with pytest.raises(NoSlot, match="not HTCondor's"):
        limits(sandbox, sandbox.parent)
    (sandbox / "second").unlink()
    (sandbox / ".machine.ad").chmod(0o666)
    with pytest.raises(NoSlot, match="not HTCondor's"):
        limits(sandbox, sandbox.parent)


def test_an_ad_that_is_a_link_or_a_pipe_or_not_there_is_refused(sandbox: Path) -> None:
    ad = sandbox / ".machine.ad"
    ad.rename(sandbox / "real")
    with pytest.raises(NoSlot, match="cannot be read"):
        limits(sandbox, sandbox.parent)
    ad.symlink_to("real")
    with pytest.raises(NoSlot, match="cannot be read"):
        limits(sandbox, sandbox.parent)
    ad.unlink()
    os.mkfifo(ad)
    with pytest.raises(NoSlot, match="not HTCondor's"):
        limits(sandbox, sandbox.parent)


@pytest.mark.parametrize("text", ["", "Cpus = 2", "Cpus = many\nMemory = 3000"])
def test_an_ad_that_does_not_tell_is_refused(sandbox: Path, text: str) -> None:
    (sandbox / ".machine.ad").write_text(text)
    with pytest.raises(NoSlot, match="cannot be read"):
        limits(sandbox, sandbox.parent)


def test_a_slot_is_one_sessions_at_a_time(sandbox: Path) -> None:
    slot = claim(str(sandbox.parent), str(sandbox), Peer(99, SLOT_UID, SLOT_UID))
    with pytest.raises(NoSlot, match="session already"):
        limits(sandbox, sandbox.parent)
    os.close(slot.descriptor)
    assert limits(sandbox, sandbox.parent).cpus == 2
