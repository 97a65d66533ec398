"""Real parts for contract tests, started by the test run itself and stopped by their process id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from prominence.cli.pool.recipes import present_images

ETCD = "/usr/bin/etcd"  # of Debian's etcd-server


class EtcdMember:
    """One etcd on the loopback interface, alone or one of a cluster. Its data survive `kill` and `start`."""

    def __init__(self, directory: Path, name: str = "only") -> None:
        self.name = name
        self.client_port, self.peer_port = free_ports(2)
        self.endpoint = f"127.0.0.1:{self.client_port}"
        self._directory = directory / name
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, cluster: Sequence[EtcdMember] = ()) -> None:
        self._directory.mkdir(exist_ok=True)
        client, peer = f"http://{self.endpoint}", f"http://127.0.0.1:{self.peer_port}"
        members = ",".join(f"{member.name}=http://127.0.0.1:{member.peer_port}" for member in cluster or (self,))
        arguments = {
            "name": self.name,
            "data-dir": self._directory / "data",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": members,
            # Ten times the usual pace, so that leases of two seconds exist.
            "heartbeat-interval": 20,
            "election-timeout": 200,
        }
        with open(self._directory / "log", "ab") as log:
            self._process = subprocess.Popen(
                [ETCD, *(f"--{key}={value}" for key, value in arguments.items())], stdout=log, stderr=log
            )

    def wait_until_ready(self) -> None:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.client_port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError((self._directory / "log").read_text())

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at the moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdMember]:
    """One etcd."""
    member = EtcdMember(tmp_path_factory.mktemp("etcd"))
    member.start()
    try:
        member.wait_until_ready()
        yield member
    finally:
        member.kill()


@pytest.fixture
def etcd_cluster(tmp_path: Path) -> Iterator[list[EtcdMember]]:
    """Three members of one cluster."""
    members = [EtcdMember(tmp_path, name) for name in ("one", "two", "three")]
    try:
        for member in members:
            member.start(members)
        for member in members:
            member.wait_until_ready()
        yield members
    finally:
        for member in members:
            member.kill()


@pytest.fixture(scope="session")
def condor_image(request: pytest.FixtureRequest) -> str:
    """An image with HTCondor's daemons: the one named in the environment, or what personal pools are made from."""
    if image := os.environ.get("PROMINENCE_TEST_CONDOR_IMAGE"):
        return image
    request.getfixturevalue("pool")
    images = present_images(request.getfixturevalue("engine"))
    return next(tag for tag in images if tag.startswith("prominence-base:"))
