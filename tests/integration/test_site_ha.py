"""A control plane on several hosts: whatever it has two or three of may be away, and jobs are queued and run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from patience import PATIENCE
from real_parts import until
from real_site import SHARES, TOLD, Hosts, Places, changed, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

FIRST, SECOND, NODE = "control-1", "control-2", "node-1"
BOTH = (FIRST, SECOND)
PLACES = Places(BOTH, (FIRST,), BOTH, BOTH, (*BOTH, NODE), (NODE,))
CENTRAL = ("had", "replication", "collector")
"""The first starts and stops the negotiator."""
SERVICES = ("etcd", "prominence-imc", "prominence-scaler")
PLAY_S = 600


@pytest.fixture
def hosts(engine: docker.DockerClient, tmp_path: Path) -> Iterator[Hosts]:
    with started(Hosts(engine, tmp_path, PLACES), prominence_restapi_settings=SHARES) as three:
        yield three


def test_jobs_are_queued_and_run_without_what_there_are_two_of(
    hosts: Hosts, engine: docker.DockerClient, tiny_image: str, tmp_path: Path
) -> None:
    hosts.played(hosts.play("site.yml"), PLAY_S * PATIENCE)
    _secrets_are_where_they_must_be(hosts)
    ada = hosts.visitor("ada", tmp_path)
    ada.until_all_is_well()
    ada.upload(engine, tiny_image)

    before = ada.submit()
    assert ada.worker_of(before) == NODE
    hosts.inside(FIRST, "systemctl", "restart", "condor")
    _first_ones_stop(hosts)
    meanwhile = ada.submit()
    assert ada.worker_of(meanwhile) == NODE
    # The other negotiator, which runs now, knows of groups' shares, too.
    until(lambda: "/vo/bio-med 0.25" in ada.run("doctor", check=False).stdout, 120)
    # The collector that is left is told of a claim a moment later than the queue.
    until(lambda: f"{NODE}: takes jobs, 2 running" in hosts.inside(FIRST, "prominence-imc", "static"), 60)
    ada.until_all_is_well()
    for job in (before, meanwhile):
        ada.let_go(job)
        done = ada.finished(job)
        assert (done["status"], len(done["attempts"])) == ("completed", 1), done
    _nobody_waited_for_the_first(hosts)

    _first_ones_start(hosts)
    second = hosts.played(hosts.play("site.yml"), PLAY_S * PATIENCE)
    assert changed(second) == [0] * len(PLACES.hosts), second
    ada.until_all_is_well()

    hosts.containers[SECOND].kill()  # as by a loss of power: nothing there refuses a connection
    alone = ada.submit()
    ada.let_go(alone)
    assert ada.finished(alone)["status"] == "completed"
    ada.until_all_is_well()


def _first_ones_stop(hosts: Hosts) -> None:
    """All on the first machine of which the second has another, the leaders among them."""
    # A master that has just started starts what it was told to stop.
    until(lambda: all(_runs(hosts, FIRST, daemon) for daemon in CENTRAL), 120)
    for daemon in CENTRAL:
        until(lambda one=daemon: _is_off(hosts, one), 120, lambda one=daemon: one)
    hosts.inside(FIRST, "systemctl", "stop", *SERVICES)
    until(lambda: _runs(hosts, SECOND, "negotiator"), 300)


def _nobody_waited_for_the_first(hosts: Hosts) -> None:
    """What a collector and a negotiator tell other collectors of themselves they send one after the other, and wait."""
    log = hosts.inside(SECOND, "cat", "/var/lib/prominence/log/condor/CollectorLog")
    assert "Failed to send update to collector" not in log
    assert "COLLECTOR_REQUIREMENTS did not evaluate" not in log  # as of what a negotiator tells of users


def _is_off(hosts: Hosts, daemon: str) -> bool:
    hosts.run(FIRST, "condor_off", "-fast", "-daemon", daemon)
    return not _runs(hosts, FIRST, daemon)


def _runs(hosts: Hosts, host: str, daemon: str) -> bool:
    return f"condor_{daemon}" in hosts.inside(host, "ps", "-eo", "args")


def _first_ones_start(hosts: Hosts) -> None:
    hosts.inside(FIRST, "systemctl", "start", *SERVICES)
    for daemon in reversed(CENTRAL):
        hosts.inside(FIRST, "condor_on", "-daemon", daemon)


def _secrets_are_where_they_must_be(hosts: Hosts) -> None:
    for host in PLACES.hosts:
        assert hosts.open_to_others(host) <= TOLD
    places = ("/etc/prominence/keys/POOL", "/etc/prominence/imc/keys/POOL")
    assert len({hosts.inside(host, "cat", place) for host in BOTH for place in places}) == 1
    for host, place in [(SECOND, "secrets/api.key"), (SECOND, "authority"), (NODE, "keys"), (NODE, "secrets")]:
        assert not hosts.tried(host, "test", "-e", f"/etc/prominence/{place}"), (host, place)
    assert hosts.inside(NODE, *["find", "/etc", "/opt", "/var", "/root", "-name", "POOL"]) == ""
    # Who shows no certificate is not heard by any member of etcd.
    ask = "import ssl, socket; c = ssl.create_default_context(); s = socket.create_connection(('{}', 2379))"
    ask += "; t = c.wrap_socket(s, server_hostname='{}'); t.send(b'GET /health HTTP/1.0\\r\\n\\r\\n'); t.recv(99)"
    for member in PLACES.etcd:
        code, said = hosts.run(FIRST, "python3", "-c", ask.format(member, member))
        assert code != 0 and "CERTIFICATE_REQUIRED" in said.upper().replace(" ", "_"), said
