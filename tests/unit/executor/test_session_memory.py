"""The memory of a session's containers: looked at together, whichever of them there are."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from builders_executor import a_run

from prominence.executor import diskuse
from prominence.executor.broker.engine import Host, State
from prominence.executor.broker.enginesocket import EngineRefused
from prominence.executor.broker.session import TASK, Output, Session
from prominence.executor.broker.settings import Settings
from prominence.executor.broker.spec import Peer
from prominence.executor.usage import Usage

MIB = 1024


class Running:
    """A container that prints nothing, uses what it is told to use, and runs until it is killed."""

    def __init__(self) -> None:
        self.memory_kib = 0
        self.over = threading.Event()

    def read(self, amount: int, /) -> bytes:
        self.over.wait(10)
        return b""


class Engine:
    """Containers by the numbers in which they were created. What it is not asked for here it refuses."""

    def __init__(self) -> None:
        self.containers: dict[str, Running] = {}

    def host(self) -> Host:
        return Host(cpus=2, memory_mib=4000)

    def create(self, name: str, spec: Mapping[str, Any]) -> str:
        self.containers[name[-1]] = Running()
        return name[-1]

    @contextmanager
    def output(self, container: str) -> Iterator[Running]:
        yield self.containers[container]

    def start(self, container: str) -> None:
        self.containers[container].over.clear()

    def usage(self, container: str) -> Usage | None:
        one = self.containers[container]
        return None if one.over.is_set() else Usage(0.0, one.memory_kib, one.memory_kib)

    def kill(self, container: str, signal: str) -> None:
        self.containers[container].over.set()

    def wait(self, container: str) -> None:
        assert self.containers[container].over.is_set()

    def state(self, container: str) -> State:
        return State("sha256:i1", 137, False)

    def image_digest(self, image: str) -> str:
        return image

    def remove(self, container: str) -> None:
        self.containers[container].over.set()

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: object) -> None:
            raise EngineRefused(name)

        return refuse


class Jobs:
    """A session whose containers run in threads of their own."""

    def __init__(self, directory: Path) -> None:
        self.engine = Engine()
        self.session = Session(
            "s1",
            Peer(1, os.getuid(), os.getgid()),
            self.engine,  # type: ignore[arg-type]
            Settings(pool="p", worker="w", tasks_dir=str(directory)),
        )
        self.session.begin("", 0, beside=2)
        self._threads = ThreadPoolExecutor()

    def run(self, seat: int) -> tuple[Running, Future[dict[str, Any]]]:
        """One that may have 100 MiB, once it has been started."""
        started = threading.Event()
        run = a_run(memory_mib=100)
        ended = self._threads.submit(self.session.run, run, Output(1, 2), seat, started.set)
        assert started.wait(10)
        return self.engine.containers[str(len(self.engine.containers))], ended

    def end(self) -> None:
        self.session.end()
        self._threads.shutdown()


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    monkeypatch.setattr(diskuse, "LOOK_S", 0.001)
    jobs = Jobs(tmp_path)
    yield jobs
    jobs.end()


def test_the_task_ends_when_all_use_too_much_and_those_beside_it_go_on(jobs: Jobs) -> None:
    (first, _), (second, _) = jobs.run(1), jobs.run(2)
    task, ended = jobs.run(TASK)
    first.memory_kib = second.memory_kib = 40 * MIB
    task.memory_kib = 30 * MIB
    assert ended.result(10)["oom"]
    assert (first.over.is_set(), second.over.is_set()) == (False, False)


def test_before_there_is_a_task_one_of_those_beside_it_ends_and_the_rest_that_fits_goes_on(jobs: Jobs) -> None:
    (first, ended), (second, _) = jobs.run(1), jobs.run(2)
    first.memory_kib = second.memory_kib = 60 * MIB
    assert ended.result(10)["oom"]
    assert not second.over.is_set()


def test_between_two_tasks_they_are_looked_at_too(jobs: Jobs) -> None:
    _, (second, ended) = jobs.run(1), jobs.run(2)
    task, of_task = jobs.run(TASK)
    task.over.set()
    assert not of_task.result(10)["oom"]
    jobs.engine.containers["1"].over.set()  # the first has ended by itself
    second.memory_kib = 101 * MIB
    assert ended.result(10)["oom"]
