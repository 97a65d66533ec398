"""etcd on this machine, alone or as a cluster."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from certificates import Files
from servers import Server, free_ports

ETCD = "/usr/bin/etcd"  # of Debian's etcd-server


class EtcdMember(Server):
    """One etcd on the loopback interface, alone or one of a cluster. Its data survive `kill` and `start`.

    files: with them it speaks to other members and to clients whose certificates come from the same authority alone.
    """

    def __init__(self, directory: Path, name: str = "only", files: Files | None = None) -> None:
        super().__init__()
        self.name, self._files = name, files
        self._scheme = "http" if files is None else "https"
        self.client_port, self.peer_port = free_ports(2)
        self.endpoint = f"127.0.0.1:{self.client_port}"
        self._directory = directory / name

    def start(self, cluster: Sequence[EtcdMember] = ()) -> None:
        self._directory.mkdir(exist_ok=True)
        client, peer = f"{self._scheme}://{self.endpoint}", f"{self._scheme}://127.0.0.1:{self.peer_port}"
        members = ",".join(
            f"{member.name}={self._scheme}://127.0.0.1:{member.peer_port}" for member in cluster or (self,)
        )
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
            **(_tls(self._files) if self._files else {}),
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


def _tls(files: Files) -> dict[str, object]:
    """For clients and for other members."""
    return {
        "trusted-ca-file": files.ca,
        "cert-file": files.certificate,
        "key-file": files.key,
        "client-cert-auth": "true",
        "peer-trusted-ca-file": files.ca,
        "peer-cert-file": files.certificate,
        "peer-key-file": files.key,
        "peer-client-cert-auth": "true",
    }


@contextmanager
def in_one_cluster(members: list[EtcdMember]) -> Iterator[list[EtcdMember]]:
    """All of them, ready; none is left."""
    try:
        for member in members:
            member.start(members)
        for member in members:
            member.wait_until_ready()
        yield members
    finally:
        for member in members:
            member.kill()
