"""Images of a registry that gives them to one user alone: who else gets them, and what becomes of the password."""

from __future__ import annotations

import json
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import docker
import pytest
from file_server import serving
from real_executor import (
    DOCKER_SOCKET,
    Bench,
    BrokerProcess,
    Job,
    Registry,
    WorkerBench,
    busybox_layer,
    open_directory,
    processes_with,
    until,
    worker_container,
)
from saved_images import Picture, digest, saved

from prominence.cli.pool.recipes import ensure_images
from prominence.core.plan import CREDENTIALS_FILE, TOKEN_FILE, PlannedImage, RegistryCredential
from prominence.core.reasons import Reason
from prominence.core.report import Outcome
from prominence.executor.broker.protocol import PRIVATE

PASSWORD = f"pw-{uuid.uuid4().hex}"
GOOD, WRONG = RegistryCredential(Registry.USER, PASSWORD), RegistryCredential(Registry.USER, "wr0ng-passw0rd")
FILE = saved(Picture([busybox_layer()]))
REFUSED = "the registry refused it with this imagePullCredential"


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    registry = Registry(mark=uuid.uuid4().hex, password=PASSWORD)
    yield registry
    registry.close()


@pytest.fixture(scope="module", params=["broker", "docker command", "apptainer"])
def bench(request: pytest.FixtureRequest, registry: Registry, engine: docker.DockerClient) -> Iterator[Bench]:
    """Each way to run containers."""
    with ExitStack() as stack:
        directory = stack.enter_context(open_directory())
        if request.param == "broker":
            broker = stack.enter_context(BrokerProcess(directory).running())
            yield Bench(directory, registry, [], {"PROMINENCE_BROKER_SOCKET": str(broker.socket)})
        elif request.param == "docker command":
            group = DOCKER_SOCKET.stat().st_gid
            environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PROMINENCE_BROKER_SOCKET": str(directory / "none")}
            yield Bench(directory, registry, [group], environment)
        else:
            image = ensure_images(engine, lambda line: None, None)["worker"]
            container = stack.enter_context(worker_container(engine, image, directory, registry))
            yield WorkerBench(directory, registry, container)


@pytest.fixture(autouse=True)
def nothing_stays(registry: Registry, engine: docker.DockerClient) -> Iterator[None]:
    """Images go with their jobs."""
    yield
    until(lambda: not in_the_store(engine, registry))


def in_the_store(engine: docker.DockerClient, registry: Registry) -> list[Any]:
    """Images of Docker's that came from the registry."""
    names = (PRIVATE, registry.host)
    summaries = engine.api.images(all=True)
    return [one for one in summaries if any(name in str((one["RepoTags"], one["RepoDigests"])) for name in names)]


def private(bench: Bench, *scripts: str, credential: RegistryCredential = GOOD) -> Job:
    """A job whose tasks show this credential."""
    tasks = [bench.task(script, private=True) for script in scripts]
    return bench.job(*tasks, credentials=[credential] * len(scripts))


@pytest.fixture
def held(bench: Bench) -> Iterator[Job]:
    """A job that has the image and runs."""
    marker = str(uuid.uuid4().int % 10**9 + 10**9)
    job = private(bench, f"sleep {marker}").start()
    until(lambda: processes_with(marker), 60)
    yield job
    job.signal(signal.SIGTERM)
    job.finish()


def test_an_image_is_fetched_with_the_right_password_once_for_all_tasks(bench: Bench, registry: Registry) -> None:
    done = private(bench, "echo one > f", "cat f").start().finish()
    assert (done.exit_code, done.stdout) == (0, "one\n"), done.sentence if done.report.reason else done.stderr
    first, second = done.report.tasks
    assert first.pull_s is not None and second.pull_s is None


def test_with_a_wrong_password_it_is_told_that_the_registry_refuses(bench: Bench) -> None:
    done = private(bench, "true", credential=WRONG).start().finish()
    assert (done.exit_code, done.report.outcome, done.report.reason) == (
        *(250, Outcome.SYSTEM_FAILED),
        Reason.IMAGE_REFUSED,
    )
    assert REFUSED in done.sentence
    assert WRONG.token not in str(done)


def test_without_one_too(bench: Bench) -> None:
    done = bench.run("true")
    assert "could not be fetched: the registry refused it" in done.sentence


def test_an_image_that_is_not_there_is_told_as_such(bench: Bench) -> None:
    task = bench.task("true", private=True, image=bench.image("missing:1"))
    assert "there is no such image" in bench.job(task, credentials=[GOOD]).start().finish().sentence


class TestAttacks:
    def names(self, bench: Bench, registry: Registry, engine: docker.DockerClient) -> list[str]:
        """All that the image is called, as somebody may know or guess it."""
        found = in_the_store(engine, registry)
        ids = [one["Id"] for one in found] + [
            one["Id"].partition(":")[2][:length] for one in found for length in (6, 64)
        ]
        kept = [str(tag) for one in found for tag in one["RepoTags"]]
        names = [bench.image(), *ids, *kept]
        if not bench.groups:  # who uses the engine without the broker, and knows a digest, is asked for no password
            names += [bench.image(f"tiny@{registry.digest}"), bench.image(f"tiny:1@{registry.digest}")]
        return names

    def test_nobody_else_runs_it_by_whatever_name(
        self, bench: Bench, held: Job, registry: Registry, engine: docker.DockerClient
    ) -> None:
        names = self.names(bench, registry, engine)
        assert len(names) > 3 or bench.runtime == "apptainer"
        for name in names:
            done = bench.run(bench.task("echo mine", image=name), pull_limit_s=5)
            assert (done.stdout, done.report.outcome) == ("", Outcome.SYSTEM_FAILED), name

    def test_nor_with_a_wrong_password(self, bench: Bench, held: Job) -> None:
        done = private(bench, "echo mine", credential=WRONG).start().finish()
        assert (done.stdout, done.report.reason) == ("", Reason.IMAGE_REFUSED)

    def test_who_has_the_password_too_has_it_beside(self, bench: Bench, held: Job) -> None:
        done = private(bench, "echo ours").start().finish()
        assert done.stdout == "ours\n", done.report
        # The first one's has not gone with it.
        assert private(bench, "echo again").start().finish().stdout == "again\n"

    def test_the_password_is_in_nothing_that_is_left_or_seen(
        self, bench: Bench, registry: Registry, engine: docker.DockerClient
    ) -> None:
        look = "env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'"
        look += f"; find / -name '[{CREDENTIALS_FILE[0]}]{CREDENTIALS_FILE[1:]}' 2>/dev/null"
        marker = str(uuid.uuid4().int % 10**9 + 10**9)
        job = private(bench, f"{look}; sleep {marker}").start()
        until(lambda: processes_with(marker), 60)
        containers = engine.containers.list(ignore_removed=True)  # other tests' come and go
        assert containers
        for container in containers:
            assert PASSWORD not in json.dumps(container.attrs)
        kept = subprocess.run(["grep", "-rlF", PASSWORD, bench.directory], capture_output=True, text=True)
        assert kept.stdout == "", "in the sandbox, the broker's log or its directories"
        job.signal(signal.SIGTERM)
        done = job.finish()
        assert PASSWORD not in str(done)
        assert "environ" in done.stdout and f"/{CREDENTIALS_FILE}" not in done.stdout

    def test_it_is_on_no_command_line_while_the_image_is_fetched(self, bench: Bench, registry: Registry) -> None:
        registry.hold()
        try:
            job = private(bench, "true").start()
            until(registry.asked.is_set)
            assert not [line for line in command_lines() if PASSWORD in line]
        finally:
            registry.release()
        assert job.finish(120).exit_code == 0

    def test_a_job_that_is_stopped_while_it_fetches_leaves_nothing(self, bench: Bench, registry: Registry) -> None:
        registry.hold()
        try:
            job = private(bench, "true").start()
            until(registry.asked.is_set)
            job.signal(signal.SIGTERM)
            assert job.finish().report.outcome is Outcome.REMOVED
        finally:
            registry.release()


def command_lines() -> list[str]:
    """Of all processes of this machine."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                found.append((entry / "cmdline").read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return found


class TestBesideImagesThatAreFiles:
    @pytest.fixture
    def broker(self) -> Iterator[BrokerProcess]:
        with open_directory() as directory, BrokerProcess(directory).running() as broker:
            yield broker

    @pytest.fixture
    def base(self) -> Iterator[str]:
        with serving({"/tool.tar": FILE}) as base:
            yield base

    def job(self, broker: BrokerProcess, registry: Registry, base: str, last: str) -> Job:
        """Of one task whose image is a file, one with a private image, and one more of the first kind."""
        bench = Bench(broker.directory, registry, [], {"PROMINENCE_BROKER_SOCKET": str(broker.socket)})
        first, third = (
            bench.task(script, image="tool.tar", file=PlannedImage(f"{base}/tool.tar")) for script in ("echo a", last)
        )
        job = bench.job(first, bench.task("echo b", private=True), third, credentials=[None, GOOD, None], api=base)
        (job.sandbox / TOKEN_FILE).write_text("a token")
        return job.start()

    def test_a_job_may_have_both_and_each_is_told_by_its_own_digest(
        self, broker: BrokerProcess, registry: Registry, base: str, engine: docker.DockerClient
    ) -> None:
        done = self.job(broker, registry, base, "echo c").finish()
        assert (done.exit_code, done.stdout) == (0, "a\nb\nc\n"), (done.stderr, done.report)
        assert [task.image_digest for task in done.report.tasks] == [digest(FILE), registry.digest, digest(FILE)]
        assert [task.pull_s is None for task in done.report.tasks] == [False, False, True]
        until(lambda: not (broker.images(engine) or in_the_store(engine, registry)))

    def test_what_a_broker_that_was_killed_has_left_of_both_goes_when_there_is_one_again(
        self, broker: BrokerProcess, registry: Registry, base: str, engine: docker.DockerClient
    ) -> None:
        marker = str(uuid.uuid4().int % 10**9 + 10**9)
        job = self.job(broker, registry, base, f"sleep {marker}")
        until(lambda: processes_with(marker), 60)
        broker.stop(signal.SIGKILL)
        assert in_the_store(engine, registry) and broker.images(engine)
        broker.start()
        until(lambda: not (broker.images(engine) or in_the_store(engine, registry)))
        job.finish()
