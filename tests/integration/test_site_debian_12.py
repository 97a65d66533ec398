"""Debian 12 has no HTCondor of its own: what needs none is built there, and then left as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
import yaml
from patience import PATIENCE
from real_parts import until
from real_site import ANSIBLE, CONTROL, DEBIAN_12, Hosts, Places, changed, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROLES = ("base", "etcd", "monitoring", "node_exporter", "firewall")
UNITS = ("etcd", "prometheus", "prometheus-node-exporter", "prominence-firewall")
PLAY_S = 300


@pytest.fixture
def hosts(engine: docker.DockerClient, tmp_path: Path) -> Iterator[Hosts]:
    places = Places(*[(CONTROL,)] * 5, workers=())
    ours = {"prominence_firewall": True, "prominence_node_exporter": True, "prominence_repositories": []}
    packages = yaml.safe_load((ANSIBLE / "roles/base/defaults/main.yml").read_text())["prominence_packages"]
    without = {"prominence_packages": {**packages, "control": []}}
    with started(Hosts(engine, tmp_path, places, DEBIAN_12), monitored=True, **ours, **without) as one:
        yield one


@pytest.fixture
def playbook(tmp_path: Path) -> str:
    """Beside the roles and what they copy, as a checkout has them."""
    checkout = tmp_path / "checkout"
    (checkout / "ansible").mkdir(parents=True)
    (checkout / "monitoring").symlink_to(ANSIBLE.parent / "monitoring")
    (checkout / "ansible" / "roles").symlink_to(ANSIBLE / "roles")
    book = checkout / "ansible" / "some.yml"
    book.write_text(f"- hosts: {CONTROL}\n  become: true\n  roles: [{', '.join(ROLES)}]\n")
    return str(book)


def test_what_needs_no_htcondor_is_built_once(hosts: Hosts, playbook: str) -> None:
    first = hosts.played(hosts.play(playbook), PLAY_S * PATIENCE)
    assert changed(first) != [0]
    for unit in UNITS:
        until(lambda one=unit: hosts.tried(CONTROL, "systemctl", "is-active", one), 60, lambda one=unit: one)
    second = hosts.played(hosts.play(playbook), PLAY_S * PATIENCE)
    assert changed(second) == [0], second
    assert 'VERSION_ID="12"' in hosts.inside(CONTROL, "cat", "/etc/os-release")
    tls = "/etc/prominence/tls"
    known = ("--cacert", f"{tls}/ca.crt", "--cert", f"{tls}/etcd.crt", "--key", f"{tls}/etcd.key")
    asked = ("curl", "--silent", "--show-error", "https://127.0.0.1:2379/health")
    assert "true" in hosts.inside(CONTROL, *asked, *known)
    assert not hosts.tried(CONTROL, *asked, *known[:2])
