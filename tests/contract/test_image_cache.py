"""The images that a worker keeps for Apptainer's jobs: fetched once for all, by nobody's word, and gone when unused."""

from __future__ import annotations

import hashlib
import signal
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import docker
import pytest
from broker_client import Client
from docker.models.containers import Container
from file_server import a_tar, serving
from real_executor import (
    PYTHON,
    SLOT_UID,
    Attempt,
    Registry,
    WorkerBench,
    WorkerBroker,
    a_sif,
    busybox_layer,
    open_directory,
    until,
    worker_container,
)
from real_parts import gateway
from saved_images import Picture, saved

from prominence.cli.pool.recipes import ensure_images
from prominence.core.plan import PlannedImage, RegistryCredential
from prominence.executor.broker import protocol

ENDS_WHAT_WOULD_END_IT = """
import os
while True:
    for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
        try:
            pid != os.getpid() and os.kill(pid, 9)
        except OSError:
            pass
"""


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with closing(Registry(mark=uuid.uuid4().hex)) as registry:
        yield registry


@pytest.fixture(scope="module")
def worker(registry: Registry, engine: docker.DockerClient) -> Iterator[tuple[Container, Path]]:
    image = ensure_images(engine, lambda line: None, None)["worker"]
    with open_directory() as directory, worker_container(engine, image, directory, registry) as container:
        yield container, directory


@pytest.fixture
def broker(worker: tuple[Container, Path], registry: Registry) -> Iterator[WorkerBroker]:
    """One that keeps nothing yet."""
    container, directory = worker
    broker = WorkerBroker(container, directory)
    container.exec_run(["rm", "-rf", broker.IMAGES])
    registry.requests.clear()
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def connect(broker: WorkerBroker) -> Iterator[Any]:
    with ExitStack() as stack:

        def connect(uid: int = SLOT_UID) -> Client:
            client = Client(broker, uid, uid)
            client.socket.settimeout(120)
            stack.callback(client.close)
            return client

        yield connect


@pytest.fixture
def bench(worker: tuple[Container, Path], broker: WorkerBroker, registry: Registry) -> WorkerBench:
    container, directory = worker
    return WorkerBench(directory, registry, container, {"PROMINENCE_BROKER_SOCKET": str(broker.socket)})


def name(registry: Registry, digest: str = "") -> str:
    return f"{registry.host}/tiny@{digest or registry.digest}"


def layers(registry: Registry) -> int:
    """How often the image's layer was asked for."""
    [layer] = [digest for digest, content in registry.blobs.items() if len(content) > 100_000]
    return sum(path.endswith(layer) for path in registry.requests)


def test_two_hundred_jobs_share_one_pull(broker: WorkerBroker, registry: Registry, connect: Any) -> None:
    clients = [connect(SLOT_UID + number % 100) for number in range(200)]
    registry.hold()
    for client in clients:
        client.send(protocol.line("image", image=name(registry)))
    until(registry.asked.is_set)
    registry.release()
    answers = [client.receive() for client in clients]
    assert {answer["path"] for answer in answers} == {f"{broker.IMAGES}/{registry.digest.replace(':', '-')}.sif"}
    assert layers(registry) == 1
    assert broker.log.read_text().count("image kept") == 1
    until(lambda: not broker.building())


def test_jobs_run_it_and_are_told_its_digest(bench: WorkerBench, broker: WorkerBroker, registry: Registry) -> None:
    first, second = bench.run("echo one", "echo two"), bench.run("echo three")
    assert (first.stdout, second.stdout) == ("one\ntwo\n", "three\n"), (first.report, second.report)
    assert [task.image_digest for task in first.report.tasks] == [registry.digest] * 2
    assert layers(registry) == 1
    by_digest = bench.run(bench.task("echo four", image=f"{registry.host}/tiny:1@{registry.digest}"))
    assert (by_digest.stdout, layers(registry)) == ("four\n", 1), by_digest.report
    # A registry that cannot be asked any more tells nothing, and a tag may have got another meaning.
    registry.away = True
    gone = bench.job("echo five", pull_limit_s=1).start().finish()
    registry.away = False
    assert "the registry cannot be reached" in gone.sentence


def test_a_tag_that_has_got_another_image_is_that_one(bench: WorkerBench, registry: Registry) -> None:
    assert bench.run("cat /etc/changed || echo before").stdout == "before\n"
    before = registry.manifest
    with closing(Registry(mark="changed")) as other:
        registry.blobs.update(other.blobs)
        registry.manifest = other.manifest
        changed = bench.run("ls /etc/changed").stdout
        registry.manifest = before
    assert changed == "/etc/changed\n"


class TestAttacks:
    def test_an_account_of_a_job_can_put_nothing_there_and_list_nothing(
        self, worker: tuple[Container, Path], broker: WorkerBroker, registry: Registry, connect: Any
    ) -> None:
        path = connect().ask("image", image=name(registry))["path"]
        user = f"{SLOT_UID}:{SLOT_UID}"
        for attempt in (
            f"echo mine > {path}",
            f"rm -f {path}",
            f"mv {path} {path}.old",
            f"echo mine > {broker.IMAGES}/sha256-{'0' * 64}.sif",
            f"ln -s /tmp/mine {broker.IMAGES}/mine.sif",
            f"ls {broker.IMAGES}",
            f"ls {broker.IMAGES}/builds",
            f"echo mine > {broker.IMAGES}/builds/mine",
        ):
            done = worker[0].exec_run(["sh", "-c", attempt], user=user)
            assert done.exit_code != 0, attempt
        assert worker[0].exec_run(["head", "-c", "4", path], user=user).exit_code == 0
        assert broker.kept() == [path.rpartition("/")[2]]

    def test_a_registry_that_lies_about_a_digest_puts_nothing_under_it(
        self, worker: tuple[Container, Path], broker: WorkerBroker, registry: Registry, connect: Any
    ) -> None:
        wanted = f"sha256:{'1' * 64}"

        registry.claims = wanted
        answer = connect().ask("image", image=name(registry, wanted))
        registry.claims = ""
        assert not answer["ok"], answer
        assert not broker.kept()

    @pytest.mark.parametrize(
        "image",
        [
            "{host}/tiny:1",
            "{host}/tiny",
            "tiny@sha256:12",
            "../../etc@{digest}",
            "-x@{digest}",
            "{host}/tiny@{digest}/../x",
        ],
    )
    def test_what_has_no_digest_is_refused(self, connect: Any, registry: Registry, image: str) -> None:
        asked = image.format(host=registry.host, digest=registry.digest)
        assert connect().ask("image", image=asked)["error"] == "refused"

    def test_who_is_no_job_gets_nothing(self, connect: Any, registry: Registry) -> None:
        assert connect(999).ask("image", image=name(registry))["error"] == "refused"

    def test_what_needs_a_password_is_not_kept(
        self, worker: tuple[Container, Path], bench: WorkerBench, broker: WorkerBroker, registry: Registry
    ) -> None:
        credential = RegistryCredential(Registry.USER, "secret")
        task = bench.task("echo mine", private=True)
        assert bench.job(task, credentials=[credential]).start().finish().stdout == "mine\n"
        assert not broker.kept()

    def test_an_account_that_was_taken_over_cannot_outlive_its_build(
        self, worker: tuple[Container, Path], broker: WorkerBroker, registry: Registry, connect: Any
    ) -> None:
        broker.stop()
        broker.settings["builders"] = 1
        worker[0].exec_run([PYTHON, "-c", ENDS_WHAT_WOULD_END_IT], user="20257:20257", detach=True)
        until(broker.building)
        broker.start()
        assert not broker.building()
        assert connect().ask("image", image=name(registry))["ok"]


class TestNothingIsHalf:
    def test_who_goes_away_while_it_is_fetched_leaves_nothing(
        self, broker: WorkerBroker, registry: Registry, connect: Any
    ) -> None:
        client = connect()
        registry.hold()
        client.send(protocol.line("image", image=name(registry)))
        until(registry.asked.is_set)
        client.close()
        until(lambda: not broker.building())
        registry.release()
        assert not broker.kept()
        assert connect().ask("image", image=name(registry))["ok"]

    def test_a_broker_that_is_killed_meanwhile_leaves_nothing_and_blocks_nobody(
        self, worker: tuple[Container, Path], broker: WorkerBroker, registry: Registry, connect: Any
    ) -> None:
        registry.hold()
        connect().send(protocol.line("image", image=name(registry)))
        until(registry.asked.is_set)
        broker.stop(signal.SIGKILL)
        assert broker.building()
        broker.start()
        assert not broker.building()
        assert worker[0].exec_run(["ls", "-A", f"{broker.IMAGES}/builds"]).output == b""
        registry.release()
        assert connect().ask("image", image=name(registry))["ok"]

    def test_a_pull_that_breaks_off_is_told_and_the_next_one_begins_anew(
        self, broker: WorkerBroker, registry: Registry, connect: Any
    ) -> None:
        registry.away = True
        assert not connect().ask("image", image=name(registry))["ok"]
        registry.away = False
        assert connect().ask("image", image=name(registry))["ok"]


def test_what_the_worker_cannot_make_now_or_has_no_room_for_is_the_jobs_to_fetch(
    broker: WorkerBroker, registry: Registry, connect: Any
) -> None:
    broker.stop()
    broker.settings.update(images_mib=0, builders=1)
    broker.start()
    first, second = connect(), connect()
    registry.hold()
    first.send(protocol.line("image", image=name(registry)))
    until(registry.asked.is_set)
    at_once = second.ask("image", image=name(registry, f"sha256:{'1' * 64}"))
    too_large = first.receive()
    registry.release()
    assert (at_once["error"], too_large["error"]) == (protocol.KEEPS_NONE, protocol.KEEPS_NONE)
    assert "as many images" in at_once["message"] and "more room" in too_large["message"]


def test_what_is_not_used_goes_when_there_is_no_room_and_what_is_used_stays(
    broker: WorkerBroker, registry: Registry, connect: Any
) -> None:
    broker.stop()
    broker.settings["images_mib"] = 20  # for the making, of which nothing stays; an image has 1
    broker.start()
    before = registry.manifest
    holder = connect()
    first = holder.ask("image", image=name(registry))["path"]
    with closing(Registry(mark=uuid.uuid4().hex)) as other:
        registry.blobs.update(other.blobs)
        registry.manifest = other.manifest
        second = connect().ask("image", image=name(registry))["path"]
        registry.manifest = before
    assert len({first, second}) == len(broker.kept()) == 2


class TestFiles:
    """Images that are files, from a web server on an address that is not the worker's own to itself."""

    @pytest.fixture
    def contents(self) -> dict[str, bytes]:
        return {"/tool.tar?signature=secret": saved(Picture([busybox_layer()]))}

    @pytest.fixture
    def sent(self) -> list[str]:
        return []

    @pytest.fixture
    def url(self, engine: docker.DockerClient, contents: dict[str, bytes], sent: list[str]) -> Iterator[str]:
        with serving(contents, gateway(engine), tags=True, sent=sent) as base:
            yield f"{base}/tool.tar?signature=secret"

    def run(self, bench: WorkerBench, url: str, **wanted: Any) -> Attempt:
        task = bench.task("cat /etc/changed || echo before", image="tool.tar", file=PlannedImage(url, **wanted))
        return bench.job(task).start().finish()

    def test_jobs_share_one_and_none_has_an_old_one(
        self, bench: WorkerBench, broker: WorkerBroker, url: str, contents: dict[str, bytes], sent: list[str]
    ) -> None:
        for _ in range(2):
            done = self.run(bench, url)
            assert done.stdout == "before\n", (done.stderr, done.report)
        [path] = contents
        kept = sorted(name.partition("-")[0] for name in broker.kept())
        assert (sent, kept) == ([path], ["file", "made"])
        assert broker.log.read_text().count("image made of a file") == 1
        first = done.report.tasks[0].image_digest
        contents[path] = saved(Picture([busybox_layer(), a_tar({"etc/changed": b"after\n"})]))
        changed = self.run(bench, url)
        assert (changed.stdout, changed.report.tasks[0].image_digest == first) == ("after\n", False)
        assert "secret" not in broker.log.read_text()
        del contents[path]  # who is refused it gets it from nobody
        gone = self.run(bench, url)
        assert "404" in gone.sentence

    def test_two_hundred_jobs_have_it_sent_once(
        self, broker: WorkerBroker, url: str, contents: dict[str, bytes], sent: list[str], connect: Any
    ) -> None:
        sha256 = hashlib.sha256(*contents.values()).hexdigest()
        clients = [connect(SLOT_UID + number % 100) for number in range(200)]
        for number, client in enumerate(clients):
            client.send(protocol.line("file", url=f"{url}&job={number}" if number else url, sha256=sha256))
            contents[f"/tool.tar?signature=secret&job={number}"] = next(iter(contents.values()))
        answers = [client.receive() for client in clients]
        assert {answer["path"] for answer in answers} == {f"{broker.IMAGES}/file-{sha256}"}
        assert len(sent) == 1

    def test_apptainers_own_is_run_from_where_it_is_kept(
        self, bench: WorkerBench, engine: docker.DockerClient, url: str, contents: dict[str, bytes], sent: list[str]
    ) -> None:
        [path] = contents
        contents[path] = a_sif(engine, contents[path])
        sha256 = hashlib.sha256(contents[path]).hexdigest()
        for _ in range(2):
            assert self.run(bench, url, sha256=sha256).stdout == "before\n"
        assert sent == [path]

    def test_nothing_is_fetched_from_the_worker_itself_nor_kept_under_another_checksum(
        self, broker: WorkerBroker, url: str, connect: Any
    ) -> None:
        with serving({"/tool.tar": b"root's"}) as base:
            own = connect().ask("file", url=f"{base}/tool.tar")
        other = connect().ask("file", url=url, sha256="0" * 64)
        assert (own["ok"], other["ok"], broker.kept()) == (False, False, [])
        assert "nothing is fetched from" in own["message"]
        assert connect(999).ask("file", url=url)["error"] == "refused"
        for no_address in ("file:///etc/shadow", "http://a b", ""):
            assert connect().ask("file", url=no_address)["error"] == "refused"
