"""Pools for benchmarks: each measurement has one of its own, with images that its workers can run."""

from __future__ import annotations

import io
import os
import shutil
import socket
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.models.containers import Container

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from real_executor import Registry
from real_parts import RealPool, ensure_tiny_image, gateway, new_pool, until

__all__ = ["ACCOUNT", "RealPool", "WarmWorker", "pool", "put", "tiny_image", "until", "warm_worker"]

DOCKER = "/usr/local/bin/docker"
SOCKET = "/run/prominence/private/docker.sock"
"""On a worker: Docker's command, which we put there, and the engine's socket."""

ACCOUNT = "slot8"
"""Of a slot that no job has: HTCondor ends the processes of a job's account with the job."""


def tiny_image() -> str:
    """An image of 2 MB that this machine's engine has."""
    return str(ensure_tiny_image(docker.from_env()))


@contextmanager
def pool(*options: str) -> Iterator[RealPool]:
    """A pool that is up, and gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="prominence-bench-") as home:
        one = new_pool(Path(home), docker.from_env(), "--port", str(_free_port()), *options)
        try:
            one.up()
            yield one
        finally:
            one.down("--purge")


@dataclass(frozen=True)
class WarmWorker:
    """A pool with one worker that stays. registry: host:port of one that the worker trusts, with the image tiny:1.

    first: a job that has ended there.
    """

    pool: RealPool
    container: Container
    registry: str
    first: int


@contextmanager
def warm_worker() -> Iterator[WarmWorker]:
    """A pool whose only worker has run a job.

    Its jobs may speak to the Docker engine themselves, which on a worker nobody may: the bare command that Docker tasks
    are compared with could not run there otherwise.
    """
    with pool("--idle-time", "3600", "--max-workers", "1") as one:
        first = one.submit({"image": tiny_image(), "cmd": "true", "runtime": "docker"})
        assert one.finish(first)["status"] == "completed", one.describe(first)
        (worker,) = one.containers("worker")
        registry = Registry(gateway(one.engine))
        try:
            _trust(worker, registry.host)
            _open_the_engine(worker)
            yield WarmWorker(one, worker, registry.host, first)
        finally:
            registry.close()


def _free_port() -> int:
    """Any, for where many pools are started at a time: each would take the first free one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _trust(worker: Container, registry: str) -> None:
    text = f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n'
    put(worker, "etc/containers/registries.conf", text.encode(), 0o644)


def _open_the_engine(worker: Container) -> None:
    command = shutil.which("docker")
    assert command, "the docker command is needed"
    put(worker, DOCKER.lstrip("/"), Path(command).read_bytes(), 0o755)
    group = os.stat("/var/run/docker.sock").st_gid
    users = ",".join(f"slot{number}" for number in range(1, 9))
    script = f"chmod 0711 {os.path.dirname(SOCKET)} && echo bench-docker:x:{group}:{users} >> /etc/group"
    done = worker.exec_run(["sh", "-c", script])
    assert done.exit_code == 0, done.output


def put(container: Container, path: str, content: bytes, mode: int) -> None:
    """Put a file there. path: without a slash before it."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(content), mode
        tar.addfile(entry, io.BytesIO(content))
    container.put_archive("/", archive.getvalue())
