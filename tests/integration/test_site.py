"""Three bare Debian hosts become a pool by one inventory file; its workers are drained, reinstalled, lost and back."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import jwt
import pytest
from certificates import Authority
from patience import PATIENCE
from real_parts import until
from real_site import CONTROL, NODES, SHARES, TOLD, Hosts, changed, changing, started
from real_visitor import Visitor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

SERVICES = (
    "etcd",
    "condor",
    *(f"prominence-{name}" for name in ["archive", "restapi", "retention", "metrics", "imc", "scaler"]),
)
PLAY_S = 400

CERTIFICATE, DAYS = "prominence_certificate", "prominence_certificate_days"
TLS = "/etc/prominence/tls"
CERTIFICATES = ("etcd", "services", "imc", "api")
RENEWING = {
    "base : A key, and who asks for its certificate",
    "base : The authority signs",
    "base : Certificate and key take the place of those before",
    "access_point : The site's own",
    "etcd : What etcd is told",
    "etcd : It runs",
    "service : Its unit",
    "service : It runs, with its unit as it is now",
}

CELLAR = {"policies": {"placement": {"requirements": {"sites": ["cellar"]}}}}
"""A place that a job names."""


@pytest.fixture
def hosts(engine: docker.DockerClient, tmp_path: Path) -> Iterator[Hosts]:
    ours = {"prominence_firewall": True, "prominence_node_exporter": True, "prominence_restapi_settings": SHARES}
    files = {name: str(tmp_path / f"api.{end}") for name, end in [(CERTIFICATE, "pem"), (f"{CERTIFICATE}_key", "key")]}
    # Those that the pool's own authority signs do not last.
    with started(Hosts(engine, tmp_path), monitored=True, **ours, **files, **{DAYS: 1}) as three:
        yield three


@pytest.fixture
def authority(hosts: Hosts, tmp_path: Path) -> Authority:
    """Of the site, which all machines trust, and which has signed the API's certificate."""
    found = Authority(tmp_path)
    found.signed("api", hosts.address(CONTROL))
    for name in hosts.places.hosts:
        hosts.trust(name, found.certificate)
    return found


def test_bare_hosts_become_a_pool_that_outlives_its_workers(
    hosts: Hosts, authority: Authority, engine: docker.DockerClient, tiny_image: str, tmp_path: Path
) -> None:
    hosts.played(hosts.play("site.yml"), PLAY_S * PATIENCE)
    _services_run(hosts)
    _secrets_are_kept(hosts)
    ada = hosts.visitor("ada", tmp_path, authority.certificate)
    ada.until_all_is_well()
    assert "/vo/bio-med 0.25" in ada.run("doctor").stdout
    _ports_are_closed(hosts)
    _is_monitored(hosts)
    ada.upload(engine, tiny_image)

    kept = ada.submit(**CELLAR)
    drained = ada.worker_of(kept)
    upgrade = hosts.play("upgrade.yml", "--limit", drained, "--extra-vars", "prominence_reinstall=true")
    until(lambda: f"{drained}: takes no new jobs, 1 running" in _statics(hosts), 120)
    lost = ada.submit(**CELLAR)
    killed = ada.worker_of(lost)
    assert {drained, killed} == set(NODES)
    ada.run("exec", str(kept), "touch", "go")
    done = ada.finished(kept)
    assert (done["status"], len(done["attempts"])) == ("completed", 1), done
    hosts.played(upgrade, PLAY_S * PATIENCE)
    assert f"{drained}: takes jobs" in _statics(hosts)

    hosts.containers[killed].kill()
    until(lambda: ada.worker_of(lost) == drained, 300, lambda: str(ada.described(lost)))
    ada.let_go(lost)
    done = ada.finished(lost)
    assert done["status"] == "completed", done
    assert ada.run("stdout", str(lost)).stdout == "done\n"

    _lost_and_restored(hosts, ada, [kept, lost])
    hosts.containers[killed].start()
    until(lambda: f"{killed}: takes jobs" in _statics(hosts), 120)
    _revoked_and_readmitted(hosts, killed)
    hosts.inside(CONTROL, "nft", "add table inet theirs")
    _only_certificates_are_new(hosts, authority)
    assert "theirs" in hosts.inside(CONTROL, "nft", "list tables")
    assert ada.run("doctor").returncode == 0
    _services_run(hosts)

    hosts.played(hosts.play("remove.yml", "--limit", drained), PLAY_S * PATIENCE)
    until(lambda: drained not in _statics(hosts), 60, lambda: _statics(hosts))
    assert not hosts.tried(drained, "test", "-e", "/etc/prominence")
    assert "prominence" not in hosts.inside(drained, "nft", "list tables")


def _lost_and_restored(hosts: Hosts, ada: Visitor, ended: list[int]) -> None:
    """All that the control plane keeps is lost, and is back: who has what used, what has ended, and what has not."""
    used = _used(ada)
    waiting = ada.submit(**CELLAR)
    backup = "/root/backup.tar.gz"
    hosts.inside(CONTROL, "prominence-admin", "backup", backup)
    assert hosts.inside(CONTROL, "stat", "--format=%a", backup).strip() == "600"
    code, said = hosts.run(CONTROL, "prominence-admin", "restore", backup)
    assert code != 0 and "condor_schedd" in said, said

    services = [name for name in SERVICES if name != "etcd"]
    hosts.inside(CONTROL, "systemctl", "stop", *services)
    lost = [f"/var/lib/prominence/{name}" for name in ("archive", "condor/spool", "condor/events", "jobs", "objects")]
    lost += [f"/etc/prominence/{name}" for name in ("keys", "secrets", "imc")]
    hosts.inside(CONTROL, "find", *lost, "-mindepth", "1", "-delete")
    hosts.inside(CONTROL, "systemctl", "stop", "etcd")
    hosts.inside(CONTROL, "sh", "-c", "rm -r /var/lib/etcd/prominence && systemctl start etcd")
    hosts.inside(CONTROL, "prominence-admin", "restore", backup)
    hosts.inside(CONTROL, "systemctl", "start", *services)
    _services_run(hosts)
    ada.until_all_is_well()
    assert [ada.described(job)["status"] for job in ended] == ["completed"] * len(ended)
    assert used and _used(ada) == used
    ada.let_go(waiting)
    assert ada.finished(waiting)["status"] == "completed"


def _only_certificates_are_new(hosts: Hosts, authority: Authority) -> None:
    """Those of the pool's authority are about to expire, and the site has another for the API: a run renews both.

    All services have them, and nothing else has changed.
    """
    before = {name: hosts.inside(CONTROL, "cat", f"{TLS}/{name}.crt") for name in CERTIFICATES}
    since = {unit: _started_at(hosts, unit) for unit in SERVICES if unit != "condor"}
    authority.signed("api", hosts.address(CONTROL))
    second = hosts.played(hosts.play("site.yml", "--extra-vars", f"{DAYS}=365"), PLAY_S * PATIENCE)
    assert changing(second) == RENEWING and changed(second)[1:] == [0, 0], second
    after = {name: hosts.inside(CONTROL, "cat", f"{TLS}/{name}.crt") for name in CERTIFICATES}
    assert all(after[name] != before[name] for name in CERTIFICATES)
    assert all(_started_at(hosts, unit) != at for unit, at in since.items())
    _services_run(hosts)
    shown = ssl.get_server_certificate((hosts.address(CONTROL), 8080), timeout=30 * PATIENCE)
    assert shown.split() == after["api"].split()
    lasts = f"openssl x509 -noout -checkend {180 * 86400} -in {TLS}"
    for name in ("services", "imc"):
        assert hosts.tried(CONTROL, *f"{lasts}/{name}.crt".split())
        shows = f"--cacert {TLS}/ca.crt --cert {TLS}/{name}.crt --key {TLS}/{name}.key"
        assert "true" in hosts.inside(CONTROL, "curl", "--silent", *shows.split(), "https://127.0.0.1:2379/health")


def _started_at(hosts: Hosts, unit: str) -> str:
    return hosts.inside(CONTROL, "systemctl", "show", "--property", "ActiveEnterTimestampMonotonic", unit)


def _used(ada: Visitor) -> list[str]:
    """By attempts that ended well."""
    rows = ada.run("usage", "--by", "outcome", "-o", "csv").stdout.splitlines()
    return [row for row in rows if "completed" in row]


def _services_run(hosts: Hosts) -> None:
    for service in SERVICES:
        until(lambda one=service: hosts.tried(CONTROL, "systemctl", "is-active", one), 60, lambda one=service: one)
    units = [f"/etc/systemd/system/{service}.service" for service in SERVICES if service.startswith("prominence")]
    assert hosts.inside(CONTROL, "systemd-analyze", "verify", *units) == ""


def _ports_are_closed(hosts: Hosts) -> None:
    """To this machine, which is none of the pool's, but for the API and SSH; to the pool's they are open."""
    for name, port, is_open in [(CONTROL, 22, True), (CONTROL, 8080, True), (CONTROL, 9618, False)] + [
        (NODES[0], port, port == 22) for port in (22, 9100, 9618)
    ]:
        with socket.socket() as caller:
            caller.settimeout(30 * PATIENCE)
            assert (caller.connect_ex((hosts.address(name), port)) == 0) is is_open, (name, port)
    reach = "import socket; [socket.create_connection((host, port), 30) for host, port in {}]"
    hosts.inside(NODES[0], "python3", "-c", reach.format([(CONTROL, 9618), (CONTROL, 8080), (NODES[1], 9100)]))


def _is_monitored(hosts: Hosts) -> None:
    """Prometheus reads all of ours, and each machine."""
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9090/api/v1/query?query=up').read().decode())"

    def up() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        code, said = hosts.run(CONTROL, "python3", "-c", ask)
        for one in json.loads(said)["data"]["result"] if code == 0 else ():
            if one["value"][1] == "1":
                found.setdefault(one["metric"]["job"], set()).add(one["metric"]["instance"].partition(":")[0])
        return found

    read = {name: {"127.0.0.1"} for name in ("scaler", "imc", "restapi")} | {"nodes": {CONTROL, *NODES}}
    until(lambda: read.items() <= up().items(), 120, lambda: str(up()))


def _revoked_and_readmitted(hosts: Hosts, node: str) -> None:
    hosts.inside(CONTROL, "prominence-imc", "static", "revoke", node)
    until(lambda: f"{node}: takes jobs" not in _statics(hosts), 60)
    assert f"{node}: its token is revoked" in _statics(hosts)
    hosts.inside(CONTROL, "prominence-imc", "static", "readmit", node)
    until(lambda: f"{node}: takes jobs" in _statics(hosts), 400)


def _secrets_are_kept(hosts: Hosts) -> None:
    """The key is on one machine, and a worker's token is its own, which root alone reads, and says little."""
    assert hosts.open_to_others(CONTROL) <= TOLD
    for node in NODES:
        assert hosts.inside(node, *["find", "/etc", "/opt", "/var", "/root", "-name", "POOL"]) == ""
        assert hosts.open_to_others(node) == {"ca.crt"}
        claims: dict[str, Any] = jwt.decode(
            hosts.inside(node, "cat", "/etc/condor/tokens.d/pool").strip(), options={"verify_signature": False}
        )
        assert claims["sub"] == f"{node}@workers"
        assert claims["scope"].split() == ["condor:/ADVERTISE_STARTD", "condor:/ADVERTISE_MASTER"]
        assert claims["exp"] - claims["iat"] == 365 * 86400


def _statics(hosts: Hosts) -> str:
    return hosts.inside(CONTROL, "prominence-imc", "static")
