"""The user data of a virtual machine."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders_imc import a_bootstrap
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from prominence.core.bootstrap import Invitation
from prominence.core.errors import Rejected, Unavailable
from prominence.imc import userdata
from prominence.imc.cloudinit import FENCE, FENCE_UNIT, LONGEST, UNIT, cloud_config
from prominence.imc.installing import PACKAGES, Family, InstallSettings, RepositorySettings
from prominence.imc.ports import File, Layout

LAYOUT = Layout("/var/lib/w-1/execute", "/var/lib/w-1/tasks", by_user_data=True)
INVITATION = Invitation(url="https://door.example.org", secret=SecretStr("s" * 43))
EVERY_FILE = userdata.files(a_bootstrap(token=None, invitation=INVITATION), LAYOUT)


def parsed(*files: File, install: InstallSettings | None = None) -> dict[str, Any]:
    """As cloud-init reads it."""
    text = cloud_config(files, LAYOUT, install)
    assert text.startswith("#cloud-config\n")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def text_of(config: dict[str, Any], path: str) -> str:
    [content] = [file["content"] for file in config["write_files"] if file["path"] == path]
    return base64.b64decode(content).decode()


def an_installation(family: Family, folder: Path | None = None, **changes: Any) -> InstallSettings:
    """folder: where there is a key for two repositories."""
    repositories: list[RepositorySettings] = []
    if folder is not None:
        key = folder / "key.asc"
        key.write_text("-----BEGIN PGP PUBLIC KEY BLOCK-----\n" + ("x" * 64 + "\n") * 48)
        repositories = [RepositorySettings(name=name, source=f"from {name}", key_file=key) for name in ("one", "two")]
    given = {"bundle_url": "https://files.example.org/worker.tar.gz", "bundle_sha256": "a" * 64, **changes}
    return InstallSettings(family=family, repositories=tuple(repositories), **given)


families = pytest.mark.parametrize("family", ["debian", "ubuntu", "el"])


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_file_arrives_as_it_is(content: str) -> None:
    written = parsed(File("/etc/some/file", 0o600, content))["write_files"]
    assert written[0]["path"] == "/etc/some/file"
    assert base64.b64decode(written[0]["content"]).decode() == content
    assert (written[0]["permissions"], written[0]["owner"], written[0]["encoding"]) == ("0600", "root:root", "b64")


def test_on_an_image_of_a_worker_nothing_is_installed() -> None:
    config = parsed()
    assert config.keys() == {"write_files", "runcmd"}
    assert [file["path"] for file in config["write_files"]] == [UNIT, FENCE_UNIT, FENCE]


def test_its_directories_are_made_before_the_worker_starts() -> None:
    commands = parsed()["runcmd"]
    assert all(isinstance(word, str) for command in commands for word in command)
    assert [command[-1] for command in commands if command[0] == "install"] == [LAYOUT.execute_dir, LAYOUT.tasks_dir]
    assert commands[-1] == ["systemctl", "enable", "--now", "--no-block", "prominence-worker.service"]


def test_the_metadata_service_is_closed_before_there_is_a_worker_and_without_that_there_is_none() -> None:
    config = parsed()
    commands = config["runcmd"]
    assert commands[-2] == ["systemctl", "enable", "--now", "prominence-metadata.service"]
    unit = text_of(config, UNIT).splitlines()
    assert "Requires=prominence-metadata.service" in unit
    assert "After=network-online.target prominence-metadata.service" in unit
    rules = text_of(config, FENCE)
    assert rules.index("meta skuid 0 accept") < rules.index("jump metadata")
    closed = rules.index("ip daddr { 169.254.169.254, 168.63.129.16 } reject")
    assert rules.index("meta l4proto { tcp, udp } th dport 53 return") < closed  # names are looked up there, too
    assert "hook forward" in rules


def test_a_machine_on_which_all_else_fails_is_switched_off() -> None:
    config = parsed()
    assert config["runcmd"][0] == ["shutdown", "--poweroff", "+60"]
    unit = text_of(config, UNIT).splitlines()
    assert "StartLimitAction=poweroff" in unit
    assert "ExecStartPost=-/usr/sbin/shutdown -c" in unit


def test_it_is_called_through_the_collector_so_that_no_port_is_open() -> None:
    config = parsed(*EVERY_FILE)
    assert "CCB_ADDRESS = ap\n" in text_of(config, userdata.CONFIG)
    assert "PROMINENCE" not in text_of(config, userdata.CONFIG)
    in_a_container = userdata.files(a_bootstrap(), Layout("/e", "/t"))
    assert not [file for file in in_a_container if "CCB_ADDRESS" in file.text]


@families
def test_packages_and_our_own_files_come_before_the_worker(family: Family) -> None:
    config = parsed(install=an_installation(family))
    assert config["package_update"] is True
    assert config["packages"] == list(PACKAGES[family])
    assert {"condor", "apptainer", "nftables"} <= set(config["packages"])
    assert "apt" not in config and "yum_repos" not in config
    commands = config["runcmd"]
    kept, fetched, installed, started = (
        commands.index(command)
        for command in (
            ["find", "/etc/condor/config.d", "-type", "f", "!", "-name", "50-worker.conf", "-delete"],
            ["python3", "/var/lib/prominence/fetch-bundle", "https://files.example.org/worker.tar.gz", "a" * 64],
            ["/opt/prominence/bin/install-worker"],
            commands[-1],
        )
    )
    assert kept < fetched < installed < started


@families
def test_repositories_come_with_the_keys_that_sign_them(family: Family, tmp_path: Path) -> None:
    config = parsed(install=an_installation(family, tmp_path, packages=("one", "two")))
    key = (tmp_path / "key.asc").read_text()
    assert config["packages"] == ["one", "two"]
    if family == "el":
        assert config["yum_repos"]["one"] == {
            "name": "one",
            "baseurl": "from one",
            "enabled": True,
            "gpgcheck": True,
            "gpgkey": "file:///etc/pki/rpm-gpg/RPM-GPG-KEY-one",
        }
        assert text_of(config, "/etc/pki/rpm-gpg/RPM-GPG-KEY-one") == key
    else:
        assert config["apt"] == {"sources": {name: {"source": f"from {name}", "key": key} for name in ("one", "two")}}


@families
def test_with_two_repositories_all_of_it_is_short_enough_for_every_cloud(family: Family, tmp_path: Path) -> None:
    assert len(cloud_config(EVERY_FILE, LAYOUT)) < LONGEST / 3
    assert len(cloud_config(EVERY_FILE, LAYOUT, an_installation(family, tmp_path))) < LONGEST


def test_what_no_cloud_takes_is_refused_with_its_length() -> None:
    with pytest.raises(Rejected, match=r"has \d+ bytes, and clouds take 16384"):
        cloud_config([File("/etc/some/file", 0o600, "x" * 16384)], LAYOUT)


def test_a_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    install = an_installation("debian", tmp_path)
    (tmp_path / "key.asc").unlink()
    with pytest.raises(Unavailable, match=r"key\.asc cannot be read"):
        cloud_config([], LAYOUT, install)


@pytest.mark.parametrize(
    "wrong",
    [
        {"family": "suse"},
        {"bundle_sha256": "abc"},
        {"bundle_url": "file:///etc/shadow"},
        {"repositories": [{"name": "../x", "source": "s", "key_file": "/k"}]},
        {"repositories": [{"name": "x", "source": "one\ntwo", "key_file": "/k"}]},
    ],
)
def test_a_wrong_way_to_install_is_refused(wrong: dict[str, Any]) -> None:
    right = {"family": "debian", "bundle_url": "https://x/y", "bundle_sha256": "a" * 64}
    InstallSettings.model_validate(right)
    with pytest.raises(ValidationError):
        InstallSettings.model_validate({**right, **wrong})


@pytest.mark.parametrize("is_right", [True, False])
def test_our_own_files_are_taken_if_they_are_the_declared_ones(tmp_path: Path, is_right: bool) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        entry = tarfile.TarInfo(f"{tmp_path}/unpacked/file".lstrip("/"))
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"abc"))
    bundle = tmp_path / "bundle.tar.gz"
    bundle.write_bytes(buffer.getvalue())
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest() if is_right else "0" * 64
    program = tmp_path / "fetch"
    program.write_text(text_of(parsed(install=an_installation("debian")), "/var/lib/prominence/fetch-bundle"))
    done = subprocess.run([sys.executable, program, bundle.as_uri(), digest], capture_output=True, text=True)
    assert (done.returncode == 0) is is_right, done.stderr
    assert (tmp_path / "unpacked" / "file").exists() is is_right
    assert is_right or "is not what was declared" in done.stderr
