"""Images that are files, on real runtimes: they run, and no other job ever meets them."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import re
import signal
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
from broker_client import Client
from file_server import a_tar, serving
from real_executor import (
    SLOT_UID,
    Attempt,
    Bench,
    BrokerProcess,
    Registry,
    WorkerBench,
    a_sif,
    busybox_layer,
    open_directory,
    until,
    worker_container,
)
from saved_images import Picture, digest, saved

from prominence.cli.pool.recipes import ensure_images
from prominence.core.plan import TOKEN_FILE, PlannedImage
from prominence.core.reasons import Reason
from prominence.executor.broker import protocol

MACHINE_AD = {"_CONDOR_MACHINE_AD": ".machine.ad"}


def a_picture(**changes: Any) -> Picture:
    """With busybox in it."""
    return Picture(**{"layers": [busybox_layer()], **changes})


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    registry = Registry()
    yield registry
    registry.close()


@pytest.fixture(scope="module")
def broker() -> Iterator[BrokerProcess]:
    with open_directory() as directory, BrokerProcess(directory, execute_dir=str(directory)).running() as broker:
        yield broker


@pytest.fixture(scope="module")
def of_docker(broker: BrokerProcess, registry: Registry) -> Bench:
    environment = {"PROMINENCE_BROKER_SOCKET": str(broker.socket), **MACHINE_AD}
    return Bench(broker.directory, registry, [], environment)


@pytest.fixture(scope="module")
def of_apptainer(registry: Registry, engine: docker.DockerClient) -> Iterator[WorkerBench]:
    with ExitStack() as stack:
        directory = stack.enter_context(open_directory())
        image = ensure_images(engine, lambda line: None, None)["worker"]
        container = stack.enter_context(worker_container(engine, image, directory, registry))
        yield WorkerBench(directory, registry, container, MACHINE_AD)


@pytest.fixture(scope="module")
def sif(engine: docker.DockerClient) -> bytes:
    """An image as a user builds it."""
    return a_sif(engine, saved(a_picture()))


@pytest.fixture(params=["of_docker", "of_apptainer"])
def bench(request: pytest.FixtureRequest) -> Bench:
    found: Bench = request.getfixturevalue(request.param)
    found.disk_kib = 1024 * 1024
    return found


def run(bench: Bench, content: bytes, *commands: str, name: str = "/tool.tar", **wanted: Any) -> Attempt:
    """A job whose image is a file with this content, one task for each command; "" for the image's own."""
    with serving({name: content}) as base:
        file = PlannedImage(f"{base}/{wanted.pop('source', name[1:])}", **wanted)
        words = [("sh", "-c", command) if command else () for command in commands]
        tasks = [bench.task(image="tool.tar", file=file, command=command) for command in words]
        # As if it were the API's: from the worker itself nothing else is fetched.
        job = bench.job(*tasks, api=base)
        (job.sandbox / TOKEN_FILE).write_text("a token")
        return job.start().finish()


class TestArchives:
    def test_what_docker_saves_runs_and_is_fetched_once(self, bench: Bench) -> None:
        content = saved(a_picture())
        done = run(bench, content, "", "echo $FROM_IMAGE; touch f", "ls")
        assert (done.exit_code, done.stdout) == (0, "the image's own\nyes\nf\n"), (done.stderr, done.report)
        assert [task.image_digest for task in done.report.tasks] == [digest(content)] * 3
        assert [task.pull_s is None for task in done.report.tasks] == [False, True, True]
        assert {task.runtime for task in done.report.tasks} == {bench.runtime}

    def test_it_may_be_packed_whole_and_its_layers_too(self, bench: Bench) -> None:
        layers = [busybox_layer(), a_tar({"etc/above": b"above\n"})]
        content = gzip.compress(saved(a_picture(layers=layers, packed=True)))
        assert run(bench, content, "cat /etc/above").stdout == "above\n"

    def test_the_right_checksum_lets_it_run(self, bench: Bench) -> None:
        content = saved(a_picture())
        assert run(bench, content, "echo on", sha256=hashlib.sha256(content).hexdigest()).stdout == "on\n"

    @pytest.mark.parametrize(
        ("content", "wanted", "why"),
        [
            (saved(a_picture()), {"source": "missing.tar"}, "the server says 404 Not Found"),
            (saved(a_picture()), {"sha256": "0" * 64}, "its SHA-256 is .*, and not the 000"),
            (b"#!/bin/sh\n", {}, "it is neither an image of Apptainer's nor what docker save writes"),
            (a_tar({"a": b"b"}), {}, "it is an archive, but not what docker save writes"),
            (saved(a_picture(), a_picture()), {}, "it holds 2 images, and one is needed"),
            (saved(a_picture())[:5000], {}, "it is broken"),
            (saved(a_picture(layers=[b"no archive" * 100])), {}, "no image can be made of it"),
        ],
    )
    def test_what_is_none_is_told_apart(self, bench: Bench, content: bytes, wanted: dict[str, Any], why: str) -> None:
        done = run(bench, content, "echo on", **wanted)
        assert (done.exit_code, done.stdout, done.report.reason) == (250, "", Reason.IMAGE_PULL_FAILED), done.report
        assert re.search(f"The image tool.tar could not be fetched: {why}", done.sentence), done.sentence

    def test_what_is_larger_than_the_jobs_disk_is_not_fetched(self, bench: Bench) -> None:
        bench.disk_kib = 1024
        done = run(bench, saved(a_picture()), "echo on")
        assert "and the job's disk has room for" in done.sentence

    def test_nor_is_it_unpacked(self, bench: Bench) -> None:
        bench.disk_kib = 16 * 1024
        done = run(bench, gzip.compress(saved(a_picture(layers=[bytes(40_000_000)]))), "echo on")
        assert "that the job's disk has room for come out of it" in done.sentence

    def test_what_it_takes_counts_as_the_jobs(self, bench: Bench) -> None:
        bench.disk_kib = 24 * 1024
        content = saved(a_picture(layers=[busybox_layer(), a_tar({"etc/ballast": random_bytes(12_000_000)})]))
        done = run(bench, content, "head -c 16000000 /dev/zero > f; sleep 20")
        assert done.report.reason is Reason.DISK_EXCEEDED, done.sentence


class TestApptainersOwn:
    def test_apptainer_runs_it(self, of_apptainer: WorkerBench, sif: bytes) -> None:
        done = run(of_apptainer, sif, "", "echo $FROM_IMAGE; touch f", "ls", name="/tool.sif")
        assert (done.exit_code, done.stdout) == (0, "the image's own\nyes\nf\n"), (done.stderr, done.report)
        assert done.report.tasks[0].image_digest == digest(sif)

    def test_docker_does_not(self, of_docker: Bench, sif: bytes) -> None:
        done = run(of_docker, sif, "echo on", name="/tool.sif")
        assert "could not be fetched: Docker does not run Apptainer's images" in done.sentence


class TestOthersNeverMeetIt:
    """The engine keeps one store of images for all jobs of a worker: a file's image must not be found in it."""

    @pytest.fixture
    def theirs(self, engine: docker.DockerClient) -> Iterator[str]:
        """An image that other users' jobs run, by the name that they know it by."""
        name = f"prominence-test/theirs-{uuid.uuid4().hex[:8]}"
        layer = a_tar({"etc/whose": b"theirs\n"})
        answer = engine.images.load(saved(a_picture(tags=[f"{name}:1"], layers=[busybox_layer(), layer])))
        yield answer[0].tags[0]
        engine.images.remove(f"{name}:1", force=True)

    def evil(self, *tags: str) -> Picture:
        return a_picture(tags=tags, layers=[busybox_layer(), a_tar({"etc/whose": b"mine\n"})])

    @contextmanager
    def running(self, bench: Bench, content: bytes) -> Iterator[None]:
        """A job runs whose image is this file."""
        with serving({"/tool.tar": content}) as base:
            task = bench.task("cat /etc/whose; sleep 600", file=PlannedImage(f"{base}/tool.tar"))
            job = bench.job(task, api=base)
            (job.sandbox / TOKEN_FILE).write_text("a token")
            job.start()
            try:
                until(lambda: job.stdout() == "mine\n")
                yield
            finally:
                job.signal(signal.SIGTERM)
                job.finish()

    def whose(self, bench: Bench, image: str) -> str:
        """What another job gets by this name."""
        return bench.run(bench.task("cat /etc/whose", image=image)).stdout

    def test_an_archive_that_calls_itself_like_anothers_image_takes_nothings_place(
        self, of_docker: Bench, engine: docker.DockerClient, theirs: str
    ) -> None:
        before = engine.images.get(theirs).id
        host, _, name = theirs.rpartition("/")
        content = saved(
            self.evil(theirs, f"docker.io/{theirs}", f"{host}/{name.partition(':')[0]}:latest"),
            more=in_the_newer_layout(theirs),
        )
        with self.running(of_docker, content):
            assert self.whose(of_docker, theirs) == "theirs\n"
            assert engine.images.get(theirs).id == before
        assert self.whose(of_docker, theirs) == "theirs\n"

    def test_nothing_is_found_under_the_names_that_it_brings(
        self, of_docker: Bench, broker: BrokerProcess, engine: docker.DockerClient
    ) -> None:
        name = f"prominence-test/mine-{uuid.uuid4().hex[:8]}:1"
        content = saved(self.evil(name), more=in_the_newer_layout(name))
        with self.running(of_docker, content), Client(broker, SLOT_UID, SLOT_UID) as other:
            assert not other.ask("has", image=name)["has"]
            assert engine.images.list(name=name.partition(":")[0]) == []
            found = engine.api.inspect_image(broker.images(engine)[0]["Id"])
            assert (found["RepoTags"], found["RepoDigests"]) == ([], [])

    def test_several_images_are_refused_and_none_is_there_afterwards(
        self, of_docker: Bench, broker: BrokerProcess, engine: docker.DockerClient, theirs: str
    ) -> None:
        before = engine.images.get(theirs).id
        done = run(of_docker, saved(a_picture(), self.evil(theirs)), "echo on")
        assert "it holds 2 images" in done.sentence
        assert engine.images.get(theirs).id == before
        assert broker.images(engine) == []

    def test_its_id_is_good_for_nobody_else(
        self, of_docker: Bench, broker: BrokerProcess, engine: docker.DockerClient
    ) -> None:
        with self.running(of_docker, saved(self.evil())), Client(broker, SLOT_UID, SLOT_UID) as other:
            assert other.ask("session", sandbox=str(of_docker.new_sandbox()))["ok"]
            [image] = broker.images(engine)
            hexadecimal = image["Id"].partition(":")[2]
            for name in (image["Id"], hexadecimal, hexadecimal[:12], hexadecimal[:4], f"docker://{hexadecimal[:12]}"):
                assert not other.ask("has", image=name)["has"]
                other.send(a_run(name), 1, 2)
                assert other.receive()["error"] == "not there"

    def test_no_more_is_in_it_than_its_owner_has(
        self, of_docker: Bench, engine: docker.DockerClient, theirs: str
    ) -> None:
        # The engine takes a layer that it has for the one of that name, and does not look at what was sent.
        secret = engine.images.get(theirs).attrs["RootFS"]["Layers"]
        empty = a_tar({"nothing": b""})
        picture = a_picture(layers=[busybox_layer(), empty], claimed=secret)
        assert run(of_docker, saved(picture), "cat /etc/whose || ls /nothing").stdout == "/nothing\n"

    def test_its_job_gone_nothing_of_it_is_left(
        self, of_docker: Bench, broker: BrokerProcess, engine: docker.DockerClient
    ) -> None:
        run(of_docker, saved(self.evil()), "true")
        run(of_docker, saved(self.evil()), "exit 1")
        until(lambda: not broker.images(engine))
        with self.running(of_docker, saved(self.evil())):
            assert len(broker.images(engine)) == 1
        until(lambda: not broker.images(engine))

    def test_what_a_crash_leaves_is_swept(
        self, of_docker: Bench, broker: BrokerProcess, engine: docker.DockerClient
    ) -> None:
        with serving({"/tool.tar": saved(self.evil())}) as base:
            job = of_docker.job(of_docker.task("sleep 600", file=PlannedImage(f"{base}/tool.tar")), api=base)
            (job.sandbox / TOKEN_FILE).write_text("a token")
            job.start()
            until(lambda: broker.containers(engine))
            broker.stop(signal.SIGKILL)
            assert len(broker.images(engine)) == 1
            broker.start()
            until(lambda: not broker.images(engine))
            job.finish()


class TestTheBroker:
    @pytest.fixture
    def client(self, of_docker: Bench, broker: BrokerProcess) -> Iterator[Client]:
        """Whose session has begun."""
        of_docker.disk_kib = 1024 * 1024
        with Client(broker, SLOT_UID, SLOT_UID) as client:
            assert client.ask("session", sandbox=str(of_docker.new_sandbox()))["ok"]
            yield client

    @pytest.mark.parametrize(
        ("layers", "why"),
        [
            ([], "layers: 1 to 125"),
            ([(0, 1)] * 126, "layers: 1 to 125"),
            ([(-1, 1)], "not a part of a file"),
            ([(0, -1)], "not a part of a file"),
            ([(0, 10**17)], "not a part of a file"),
            ([(0, 2 * 10**9)], "more than the job's disk has room for"),
            ([(0, 5000)], "the file ends before its layers do"),
            ([(0, 1000)], "tar"),
        ],
    )
    def test_what_is_no_layer_makes_no_image(
        self, client: Client, tmp_path: Path, broker: BrokerProcess, engine: docker.DockerClient, layers: Any, why: str
    ) -> None:
        (tmp_path / "file").write_bytes(b"x" * 4000)
        with open(tmp_path / "file", "rb") as file:
            client.send(a_load(layers), file.fileno())
            answer = client.receive()
        assert not answer["ok"] and why in answer["message"], answer
        assert broker.images(engine) == []

    def test_what_is_no_file_is_not_waited_for(self, client: Client) -> None:
        ours, theirs = os.pipe()
        client.send(a_load([(0, 1000)]), ours)
        assert "not a file" in client.receive()["message"]
        os.close(ours)
        os.close(theirs)

    def test_it_brings_one_descriptor_and_nothing_that_names_it(self, client: Client) -> None:
        client.send(a_load([(0, 10)]))
        assert "descriptors" in client.receive()["message"]
        client.send(protocol.line("load", layers=[{"offset": 0, "size": 1}], tags=["python:3.12"]))
        assert client.receive()["message"] == "load has no tags"

    def test_who_goes_away_meanwhile_leaves_nothing(
        self, client: Client, tmp_path: Path, broker: BrokerProcess, engine: docker.DockerClient
    ) -> None:
        with open(tmp_path / "file", "wb") as file:
            file.truncate(900_000_000)
        with open(tmp_path / "file", "rb") as file:
            client.send(a_load([(0, 900_000_000)]), file.fileno())
        client.close()
        until(lambda: not broker.sessions())
        assert broker.images(engine) == []


def a_load(layers: list[tuple[int, int]]) -> bytes:
    return protocol.line("load", layers=[{"offset": offset, "size": size} for offset, size in layers])


def a_run(image: str) -> bytes:
    fields = {"command": ["true"], "env": {}, "workdir": "/", "cpus": 1, "memory_mib": 64}
    return protocol.line("run", image=image, **fields)


def in_the_newer_layout(tag: str) -> dict[str, bytes]:
    """What newer engines read names from."""
    name = {"io.containerd.image.name": f"docker.io/{tag}", "org.opencontainers.image.ref.name": tag}
    manifest = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(b""), "size": 0}
    index = {"schemaVersion": 2, "manifests": [{**manifest, "annotations": name}]}
    return {"index.json": json.dumps(index).encode(), "oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}


def random_bytes(size: int) -> bytes:
    """What cannot be packed."""
    return random.Random(1).randbytes(size)
