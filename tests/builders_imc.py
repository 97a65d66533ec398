"""imc's objects with the defaults that a test does not care about, and a world in memory that it can live in."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import docker
from builders import NOON, a_flavour, a_request, a_size

from prominence.core.bootstrap import WorkerBootstrap
from prominence.core.errors import ProminenceError
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.machines import Wish
from prominence.imc import wishes
from prominence.imc.acts import Acts, Joining
from prominence.imc.adapters.memory import MemoryCloud, MemoryPool
from prominence.imc.lifecycle import Deadlines
from prominence.imc.ports import ExecutePoint, Node, NodeState
from prominence.imc.reconcile import Reconciler
from prominence.imc.records import Record, Records
from prominence.imc.userdata import TOKEN

SMALL = a_flavour(name="small", size=a_size(2, 4000, 20000), price=1.0)
LARGE = a_flavour(name="large", size=a_size(8, 16000, 20000), price=4.0)
JOINING = Joining(pool="test", collector="ap", trust_domain="prominence", task_network="none")


def a_record(**changes: Any) -> Record:
    """A worker requested at noon."""
    return Record(**{"name": "worker-1", "request": a_request(), "requested_at": NOON, "phase_since": NOON, **changes})


def a_bootstrap(**changes: Any) -> WorkerBootstrap:
    """What a new worker is told."""
    return WorkerBootstrap(
        **{
            "name": "worker-1",
            "pool": "test",
            "collector": "ap",
            "trust_domain": "prominence",
            "token": "secret-token",
            "flavour": SMALL,
            "execute_dir": "/execute",
            **changes,
        }
    )


def a_node(state: NodeState = NodeState.RUNNING, **changes: Any) -> Node:
    """A running machine."""
    return Node(**{"name": "worker-1", "state": state, **changes})


def a_point(claimed_slots: int = 0, draining: bool = False, leaving: bool = False) -> ExecutePoint:
    """A startd that waits for jobs."""
    return ExecutePoint(claimed_slots, draining, leaving)


class Inline(Executor):
    """Runs everything at once, in the caller's thread; a mistake of ours ends the test."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except ProminenceError as error:
            future.set_exception(error)
        return future


class Later(Executor):
    """Runs nothing until it is told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: fn(*args, **kwargs)))
        return future

    def run_all(self) -> None:
        """Run what waits, in order."""
        waiting, self.waiting = self.waiting, []
        for future, act in waiting:
            future.set_result(act())


class PretendWorld:
    """Clouds, pool, store and a clock; workers boot between two rounds."""

    def __init__(self, limit: int = 4, threads: Executor | None = None, **deadlines: int) -> None:
        self.now = NOON
        self.store = MemoryKeyValue(lambda: self.now.timestamp())
        self.cloud = MemoryCloud("docker", [SMALL, LARGE], limit)
        self.other = MemoryCloud("other", [a_flavour(cloud="other", name="huge", size=a_size(64, 1, 1))], 0)
        self.pool = MemoryPool()
        self.deadlines = Deadlines(**deadlines)
        self.threads = threads or Inline()
        self.boots = True
        self.joining = JOINING
        self.woken = 0
        self.records = Records(self.store)
        self.reconciler = self.new_reconciler()

    def open_the_other_cloud(self) -> None:
        """Which has a dear flavour, and room."""
        dear = a_flavour(cloud="other", name="dear", size=a_size(8, 16000, 20000), price=9.0)
        self.other = MemoryCloud("other", [dear], 4)
        self.reconciler = self.new_reconciler()

    def new_reconciler(self, clouds: Any = None, pool: Any = None, records: Any = None) -> Reconciler:
        """As a process has it that has just started."""
        known = clouds or {"docker": self.cloud, "other": self.other}
        acts = Acts(records or self.records, known, pool or self.pool, self.joining, lambda: self.now)
        return Reconciler(acts, self.deadlines, self.threads, self._wake)

    def ask(self, name: str = "worker-1", **changes: Any) -> Record:
        """What a PUT does."""
        order = str(changes.pop("order", ""))
        return wishes.ask(self.records, name, a_request(**changes), self.now, order)[0]

    def wish(self, name: str, wish: Wish, reason: str = "for a test") -> None:
        """Another wish of the same request."""
        record = self.record(name)
        wishes.ask(self.records, name, record.request.model_copy(update={"wish": wish, "reason": reason}), self.now)

    def record(self, name: str = "worker-1") -> Record:
        """As it is stored."""
        record = self.records.get(name)
        assert record is not None
        return record

    def tick(self, seconds: float = 2) -> None:
        """Time passes, machines boot, one round."""
        self.now += timedelta(seconds=seconds)
        if self.boots:
            self.boot()
        self.reconciler.round()

    def ticks(self, count: int, seconds: float = 2) -> None:
        """Several of them."""
        for _ in range(count):
            self.tick(seconds)

    def _wake(self) -> None:
        self.woken += 1

    def boot(self) -> None:
        """Startds on running machines show their tokens to the collector."""
        for name, machine in [*self.cloud.machines.items(), *self.other.machines.items()]:
            if machine.node.state is NodeState.RUNNING:
                self.pool.join(name, next((file.text for file in machine.files if file.path == TOKEN), ""))


def at(seconds: float) -> datetime:
    """So long after noon."""
    return NOON + timedelta(seconds=seconds)


CONTRACT_POOL = f"imc-contract-{os.getpid()}"
"""Mark and network of what the contract tests make in the Docker engine."""


@contextmanager
def the_docker_engine() -> Iterator[tuple[docker.DockerClient, str]]:
    """The engine of this machine with a small image that waits, and a network; both are removed at the end."""
    client = docker.from_env()
    image = f"{CONTRACT_POOL}:test"
    client.api.import_image_from_data(
        _busybox(), repository=CONTRACT_POOL, tag="test", changes=['CMD ["/bin/busybox", "sleep", "600"]']
    )
    network = client.networks.create(CONTRACT_POOL)
    try:
        yield client, image
    finally:
        network.remove()
        client.images.remove(image, force=True)
        client.close()


def _busybox() -> bytes:
    """Debian's busybox-static and its commands, as one layer."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add("/bin/busybox", "bin/busybox")
        for command in ("sh", "cat", "stat", "touch", "mkdir", "sleep", "ls"):
            link = tarfile.TarInfo(f"bin/{command}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return buffer.getvalue()
