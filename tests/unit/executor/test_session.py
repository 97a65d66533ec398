"""What a session makes of what the engine does."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from prominence.core import pulled
from prominence.executor.broker.engine import Host, State
from prominence.executor.broker.enginesocket import EngineRefused, EngineUnavailable
from prominence.executor.broker.requests import Run
from prominence.executor.broker.session import Output, Session
from prominence.executor.broker.settings import Settings
from prominence.executor.broker.spec import Peer

RUN = Run(image="example.org/a:1", command=("true",), env={}, workdir="/home/user", cpus=1, memory_mib=64, targets=())
IMAGE = "sha256:a"


class Engine:
    """One whose containers end at once, and well."""

    def __init__(self) -> None:
        self.removed: list[str] = []
        self.listed: list[str] = []

    def host(self) -> Host:
        return Host(cpus=2, memory_mib=1024)

    def version(self) -> str:
        return "1"

    def create(self, name: str, spec: dict[str, Any]) -> str:
        return "container"

    @contextmanager
    def output(self, container: str) -> Iterator[io.BytesIO]:
        yield io.BytesIO()

    def start(self, container: str) -> None:
        pass

    def usage(self, container: str) -> None:
        return None

    def wait(self, container: str) -> None:
        pass

    def state(self, container: str) -> State:
        return State(IMAGE, 0, False)

    def image_digest(self, image: str) -> str:
        return f"digest of {image}"

    def sizes(self, pattern: str) -> dict[str, tuple[int, list[str]]]:
        self.listed.append(pattern)
        return {}

    def remove(self, container: str) -> None:
        self.removed.append(container)


@pytest.fixture
def engine() -> Engine:
    return Engine()


def run(engine: Engine) -> dict[str, Any]:
    session = Session("key", Peer(1, 1000, 1000), engine, Settings(pool="a-pool"))  # type: ignore[arg-type]
    return session.run(RUN, Output(1, 2))


def test_a_container_that_has_ended_is_told_of_with_the_digest_of_what_it_ran(engine: Engine) -> None:
    told = run(engine)
    assert (told["exit_code"], told["image_digest"], engine.removed) == (0, f"digest of {IMAGE}", ["container"])


def test_where_no_task_may_be_on_the_workers_network_none_is(engine: Engine) -> None:
    session = Session("key", Peer(1, 1000, 1000), engine, Settings(pool="a-pool"))  # type: ignore[arg-type]
    with pytest.raises(EngineRefused, match="no task of this worker may speak with a job's other nodes"):
        session.run(replace(RUN, between_nodes=True), Output(1, 2))


@pytest.mark.parametrize("error", [EngineRefused, EngineUnavailable])
def test_a_digest_that_nobody_can_tell_any_more_changes_nothing_about_its_end(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def image_digest(image: str) -> str:
        raise error("it takes too long")

    monkeypatch.setattr(engine, "image_digest", image_digest)
    told = run(engine)
    assert (told["exit_code"], told["image_digest"], engine.removed) == (0, None, ["container"])


def test_images_are_listed_only_when_the_end_has_been_told(engine: Engine) -> None:
    session = Session("key", Peer(1, 1000, 1000), engine, Settings(pool="a-pool"))  # type: ignore[arg-type]
    session.run(RUN, Output(1, 2))
    assert engine.listed == []
    session.tell_use()
    session.tell_use()
    assert engine.listed == [pulled.pattern("a-pool", RUN.image)]
