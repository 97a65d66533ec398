"""The archive with a worker's own files."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from prominence.cli.pool import recipes
from prominence.cli.pool.bundle import CONTROL, write_bundle
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


def test_that_of_a_control_plane_holds_services_settings_of_htcondor_and_their_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def site(extras: tuple[str, ...], python: str) -> tuple[str, Path]:
        asked.append((set(extras), python))
        (tmp_path / "site").mkdir(exist_ok=True)
        (tmp_path / "site" / "library.py").touch()
        return "digest", tmp_path / "site"

    monkeypatch.setattr(recipes, "ensure_site", site)
    one, other = tmp_path / "one.tar.gz", tmp_path / "other.tar.gz"
    digest = write_bundle(one, CONTROL, "3.11")
    (tmp_path / "site" / "library.py").touch()
    assert write_bundle(other, CONTROL, "3.11") == digest
    assert asked[0] == ({"restapi", "scaler", "imc", "clouds"}, "3.11")
    with tarfile.open(one) as archive:
        names = set(archive.getnames())
    assert names >= {
        "opt/prominence/bin/run-restapi",
        "opt/prominence/bin/prominence-imc",
        "opt/prominence/bin/install-access-point",
        "opt/prominence/executor.pyz",
        "opt/prominence/lib/prominence/imc/main.py",
        "opt/prominence/site/library.py",
        "etc/condor/config.d/00-pool.conf",
        "etc/condor/config.d/10-access-point.conf",
    }
    assert not any("10-imc" in name or "Dockerfile" in name for name in names)


def test_it_is_the_same_each_time(tmp_path: Path) -> None:
    assert write_bundle(tmp_path / "one") == write_bundle(tmp_path / "two")
