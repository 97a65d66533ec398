"""The archive with a worker's own files."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

from prominence.cli.pool.bundle import write_bundle
from prominence.cli.pool.recipes import recipes_of_a_worker


def test_it_holds_what_the_image_of_a_worker_has_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "worker.tar.gz"
    digest = write_bundle(file)
    assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
    with tarfile.open(file) as archive:
        members = {member.name: member for member in archive.getmembers()}
    _, worker = recipes_of_a_worker()
    programs = {f"opt/prominence/{path}" for path in worker.files if path.startswith("bin/")}
    packed = {"opt/prominence/executor.pyz", "opt/prominence/broker.pyz"}
    configured = {"etc/condor/config.d/00-pool.conf", "etc/condor/config.d/10-worker.conf"}
    assert members.keys() == programs | packed | configured
    assert "opt/prominence/bin/install-worker" in programs
    assert {members[name].mode for name in programs} == {0o755}
    assert {member.uid for member in members.values()} == {0}


def test_it_is_the_same_each_time(tmp_path: Path) -> None:
    assert write_bundle(tmp_path / "one") == write_bundle(tmp_path / "two")
