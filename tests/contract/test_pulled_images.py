"""What becomes of the images that a worker has had Docker pull for jobs, in the engine's one store for everybody."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import docker
import pytest
from broker_client import Client
from real_executor import SLOT_UID, Bench, BrokerProcess, Registry, open_directory, processes_with, until

from prominence.core.pulled import PULLED
from prominence.executor.broker import protocol


@pytest.fixture
def registry(engine: docker.DockerClient) -> Iterator[Registry]:
    with closing(Registry(mark=uuid.uuid4().hex)) as registry:
        yield registry
        for image in engine.api.images(name=f"{registry.host}/tiny"):
            for tag in image["RepoTags"] or ():
                engine.images.remove(tag, force=True)


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Iterator[BrokerProcess]:
    """One that keeps nothing that is not in use, and looks every second."""
    settings = {"images_mib": 0, "sweep_every_s": 1, "sessions_per_uid": 1000, **getattr(request, "param", {})}
    with open_directory() as directory, BrokerProcess(directory, **settings).running() as broker:
        yield broker


@pytest.fixture
def bench(broker: BrokerProcess, registry: Registry) -> Bench:
    return Bench(broker.directory, registry, [], {"PROMINENCE_BROKER_SOCKET": str(broker.socket)})


def names(engine: docker.DockerClient, bench: Bench) -> list[str]:
    """All names of the registry's image."""
    summaries = [one for one in engine.api.images() if bench.image() in (one["RepoTags"] or ())]
    return [name for one in summaries for name in one["RepoTags"]]


def marks(engine: docker.DockerClient, broker: BrokerProcess) -> list[str]:
    found = [name for one in engine.api.images() for name in one["RepoTags"] or ()]
    return [name for name in found if PULLED in name and broker.pool in name]


def test_what_jobs_had_pulled_goes_when_they_have_ended_and_not_before(
    bench: Bench, broker: BrokerProcess, engine: docker.DockerClient, tiny_image: str
) -> None:
    marker = str(uuid.uuid4().int % 10**9 + 10**9)
    job = bench.job(f"sleep {marker}").start()
    until(lambda: processes_with(marker), 90)
    looks = broker.log.read_text().count("image removed")
    assert len(marks(engine, broker)) == 1
    other = bench.run(bench.task("true", image=tiny_image))  # another look, and what was there before
    assert other.exit_code == 0, other.report
    assert bench.image() in names(engine, bench)
    job.signal(signal.SIGTERM)
    job.finish()
    until(lambda: not marks(engine, broker) and not names(engine, bench), 90)
    until(lambda: broker.log.read_text().count("image removed") == looks + 1, 30)
    assert engine.images.get(tiny_image)
    assert bench.run("echo again").stdout == "again\n"


def test_what_was_there_before_is_not_marked(bench: Bench, broker: BrokerProcess, engine: docker.DockerClient) -> None:
    engine.images.pull(bench.image())
    assert bench.run("true").exit_code == 0
    with Client(broker, SLOT_UID, SLOT_UID) as client:
        assert client.ask("pull", image=bench.image())["ok"]
    assert not marks(engine, broker)
    assert names(engine, bench) == [bench.image()]


def test_what_was_there_by_its_digest_alone_is_not_marked(
    bench: Bench, broker: BrokerProcess, registry: Registry, engine: docker.DockerClient
) -> None:
    exact = f"{registry.host}/tiny@{registry.digest}"
    engine.images.pull(exact)
    assert bench.run("true").exit_code == 0
    assert names(engine, bench) == [bench.image()]
    assert engine.images.get(exact)


def test_what_was_pulled_by_its_tag_and_its_digest_goes_too(
    bench: Bench, broker: BrokerProcess, registry: Registry, engine: docker.DockerClient
) -> None:
    with Client(broker, SLOT_UID, SLOT_UID) as client:
        assert client.ask("pull", image=f"{bench.image()}@{registry.digest}")["ok"]
    until(lambda: "image removed" in broker.log.read_text(), 90)
    with pytest.raises(docker.errors.ImageNotFound):
        engine.images.get(f"{registry.host}/tiny@{registry.digest}")


@pytest.mark.parametrize("broker", [{"images_mib": 1000}], indirect=True)
def test_two_hundred_jobs_share_one_pull(
    broker: BrokerProcess, bench: Bench, registry: Registry, engine: docker.DockerClient
) -> None:
    with ExitStack() as stack:

        def connect(uid: int) -> Any:
            return stack.enter_context(Client(broker, uid, uid))

        clients = [connect(SLOT_UID + number % 100) for number in range(200)]
        registry.hold()
        for client in clients:
            client.socket.settimeout(120)
            client.send(protocol.line("pull", image=bench.image()))
        until(registry.asked.is_set)
        registry.release()
        assert [client.receive() for client in clients] == [{"ok": True}] * 200
    blobs = [path for path in registry.requests if "/blobs/" in path]
    assert len(blobs) == len(set(blobs)) == 2
    assert len(marks(engine, broker)) == 1
    for mark in marks(engine, broker):
        engine.images.remove(mark)


@pytest.mark.parametrize("verb", ["has", "pull"])
def test_nobody_may_ask_for_a_mark(broker: BrokerProcess, verb: str) -> None:
    with Client(broker, SLOT_UID, SLOT_UID) as client:
        assert client.ask(verb, image=f"localhost/{PULLED}/abc:{broker.pool}.1")["error"] == "refused"
