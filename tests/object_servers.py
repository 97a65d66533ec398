"""Servers of objects for tests: our own API under gunicorn, and Ceph's S3 gateway in a container."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
import requests
import served_objects as server
from certificates import Files
from patience import PATIENCE

from prominence.restapi.adapters.local_objects import LocalObjects

IMAGE = "prominence-test/radosgw:1"

_DOCKERFILE = """FROM debian:trixie-slim
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends radosgw \\
    && rm --recursive --force /var/lib/apt/lists/*
COPY radosgw.conf start /
CMD ["sh", "/start"]
"""
# One process that keeps everything in SQLite: no cluster of Ceph's is needed.
_CONFIGURATION = """[global]
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
rgw_backend_store = dbstore
rgw_config_store = dbstore
dbstore_db_dir = /srv/db
dbstore_config_uri = file:///srv/db/config.db
rgw_data = /srv/db
rgw_frontends = beast endpoint=0.0.0.0:7480
admin_socket =
log_file =
"""
_START = """set -e
mkdir -p /srv/db
rgw="-c /radosgw.conf --no-mon-config"
radosgw-admin $rgw user create --uid=test --display-name=test --access-key=$ACCESS_KEY --secret=$SECRET_KEY
exec radosgw $rgw -n client.rgw -f
"""


@dataclass(frozen=True)
class S3Account:
    """A store that speaks S3, and a key to it."""

    endpoint: str
    access_key: str
    secret_key: str


class RadosGateway:
    """Ceph's S3 server, from Debian, with an empty store."""

    def __init__(self, engine: docker.DockerClient) -> None:
        self._engine = engine

    @contextmanager
    def running(self, address: str = "127.0.0.1") -> Iterator[S3Account]:
        """Up on this address of the machine's, until the end of the block."""
        if not self._engine.images.list(name=IMAGE):
            self._engine.images.build(fileobj=_context(), custom_context=True, tag=IMAGE, rm=True)
        with ExitStack() as stack:
            for is_last in (False, False, True):
                try:
                    account = stack.enter_context(self._started(address))
                    break
                except AssertionError:  # once in many starts it hangs before it listens
                    if is_last:
                        raise
            yield account

    @contextmanager
    def _started(self, address: str) -> Iterator[S3Account]:
        account = S3Account("", uuid.uuid4().hex, uuid.uuid4().hex)
        container = self._engine.containers.run(
            IMAGE,
            detach=True,
            environment={"ACCESS_KEY": account.access_key, "SECRET_KEY": account.secret_key},
            ports={"7480/tcp": (address, None)},
            labels={"prominence.test": "radosgw"},
        )
        try:
            container.reload()
            port = container.ports["7480/tcp"][0]["HostPort"]
            account = S3Account(f"http://{address}:{port}", account.access_key, account.secret_key)
            _wait_for(account.endpoint, lambda: container.logs(tail=20).decode(), 30)
            yield account
        finally:
            container.remove(force=True, v=True)


@dataclass(frozen=True)
class LocalServer:
    """A local store that gunicorn serves. store: as another process has it. root: where its files are."""

    store: LocalObjects
    root: Path
    pid: int


@contextmanager
def served_objects(directory: Path, files: Files | None = None, keep_free: int = 0) -> Iterator[LocalServer]:
    """A local store in this directory, up until the end of the block. files: of its certificate, for TLS.

    keep_free: bytes of the disk that it leaves to others.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = directory / "gunicorn.log"
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "8", "--no-control-socket"]
    command += ["--worker-class", "prominence.restapi.server.Worker"]
    root = directory / "store"
    environment = {
        **os.environ,
        "SERVED_OBJECTS": str(root),
        "KEEP_FREE": str(keep_free),
        "PYTHONPATH": f"{Path(server.__file__).parent}:{os.environ.get('PYTHONPATH', '')}",
        **({"GUNICORN_CMD_ARGS": f"--certfile {files.certificate} --keyfile {files.key}"} if files else {}),
    }
    scheme = "https" if files else "http"
    with open(log, "wb") as output:
        process = subprocess.Popen([*command, "served_objects:create()"], env=environment, stdout=output, stderr=output)
    try:
        _wait_for(f"{scheme}://127.0.0.1:{port}/prominence/v1/health", log.read_text, ca=files.ca if files else None)
        yield LocalServer(server.store(root, port, scheme=scheme), root, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _context() -> io.BytesIO:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in (("Dockerfile", _DOCKERFILE), ("radosgw.conf", _CONFIGURATION), ("start", _START)):
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    archive.seek(0)
    return archive


def _wait_for(url: str, complaint: Callable[[], str], timeout_s: float = 60, ca: Path | None = None) -> None:
    deadline = time.monotonic() + timeout_s * PATIENCE
    while True:
        try:
            requests.get(url, timeout=5, verify=str(ca) if ca else True)
        except requests.RequestException:
            if time.monotonic() > deadline:
                raise AssertionError(complaint()) from None
            time.sleep(0.1)
        else:
            return
