"""The promise of `executor.storage.Driver`, kept by rclone on a worker's image, with servers as users have them."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import boto3
import docker
import pytest
from botocore.config import Config
from docker.models.containers import Container
from file_server import serving
from object_servers import RadosGateway, S3Account
from real_executor import Job, Registry, WorkerBench, open_directory, processes_with, until, worker_container
from real_parts import gateway
from webdav_server import USER, WebDavServer, redirecting, webdav

from prominence.cli.pool.recipes import ensure_images
from prominence.core.plan import STORAGE_FILE, PlannedStorage
from prominence.core.reasons import Reason
from prominence.core.report import Outcome


@pytest.fixture(scope="module")
def image(engine: docker.DockerClient) -> str:
    return ensure_images(engine, lambda line: None, None)["worker"]


@pytest.fixture(scope="module")
def container(image: str, engine: docker.DockerClient) -> Iterator[tuple[Container, WorkerBench]]:
    with ExitStack() as stack:
        registry = Registry()
        stack.callback(registry.close)
        directory = stack.enter_context(open_directory())
        worker = stack.enter_context(worker_container(engine, image, directory, registry))
        yield (
            worker,
            WorkerBench(
                directory, registry, worker, {"_CONDOR_MACHINE_AD": ".machine.ad", "_CONDOR_JOB_AD": ".job.ad"}
            ),
        )


@pytest.fixture
def bench(container: tuple[Container, WorkerBench]) -> WorkerBench:
    return container[1]


@pytest.fixture(scope="module")
def server(image: str, engine: docker.DockerClient) -> Iterator[WebDavServer]:
    with webdav(engine, image, gateway(engine)) as server:
        yield server


@pytest.fixture(scope="module")
def account(engine: docker.DockerClient) -> Iterator[S3Account]:
    with RadosGateway(engine).running(gateway(engine)) as account:
        client(account).create_bucket(Bucket="my-data")
        yield account


def client(account: S3Account) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=account.endpoint,
        aws_access_key_id=account.access_key,
        aws_secret_access_key=account.secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )


def of_webdav(url: str, directory: str = "") -> PlannedStorage:
    return PlannedStorage("webdav", "/data", directory, {"url": url, "username": USER})


def of_s3(account: S3Account, **changes: str) -> PlannedStorage:
    settings = {"endpoint": account.endpoint, "bucket": "my-data", "access_key": account.access_key, **changes}
    return PlannedStorage("s3", "/data", "", settings)


def a_job(bench: WorkerBench, storage: PlannedStorage, secret: str, *tasks: str, **changes: Any) -> Job:
    return bench.job(*tasks, storage=storage, storage_secret=secret, **{"patience_s": 2, **changes})


def is_let_go(job: Job, worker: Container) -> bool:
    """Whether nothing of the job's storage is left on the worker but what HTCondor removes with the sandbox."""
    seen = str(job.sandbox.resolve() / "storage" / "seen")
    mounts = worker.exec_run(["cat", "/proc/mounts"]).output.decode()
    return not processes_with(seen) and seen not in mounts


class TestWebDav:
    def test_tasks_read_what_is_there_and_what_they_write_is_there_afterwards(
        self, bench: WorkerBench, server: WebDavServer, container: tuple[Container, WorkerBench]
    ) -> None:
        server.put("in/words", "one two\n")
        meanwhile = "cat /data/in/words; mkdir -p /data/out/deep; echo three > /data/out/deep/more"
        meanwhile += "; touch here; while [ ! -e go ]; do sleep 0.1; done"
        large = "dd if=/dev/zero of=/data/out/large bs=1M count=40 2>/dev/null; cat /data/out/deep/more"
        job = a_job(bench, of_webdav(server.url), server.password, meanwhile, large).start()
        until(lambda: (job.sandbox / "home" / "here").exists(), 60)
        word = server.password.partition(" ")[2]
        assert not [pid for pid in processes_with("--vfs-cache-mode") if word in _command_line(pid)]
        assert not (job.sandbox / STORAGE_FILE).exists()
        assert str(job.sandbox) not in container[0].exec_run(["cat", "/proc/mounts"]).output.decode()
        (job.sandbox / "home" / "go").touch()
        done = job.finish()
        assert (done.exit_code, done.stdout) == (0, "one two\nthree\n"), done.stderr
        assert server.get("out/deep/more") == "three\n"
        assert server.size("out/large") == 40 * 1024 * 1024
        assert word not in str(done.report) + done.stdout + done.stderr
        assert is_let_go(job, container[0])

    def test_a_directory_of_it_is_made_and_stands_for_the_job(self, bench: WorkerBench, server: WebDavServer) -> None:
        storage = of_webdav(server.url, "runs/of $PROMINENCE_JOB_ID")
        job = a_job(bench, storage, server.password, "ls /data; echo $PROMINENCE_JOB_ID > /data/id; ls /data")
        (job.sandbox / ".job.ad").write_text("ClusterId = 17\n")
        done = job.start().finish()
        assert done.exit_code == 0, (done.stderr, done.report)
        assert done.stdout == "id\n"
        assert server.names("runs") == ["of 17"]
        assert server.get("runs/of 17/id") == "17\n"

    def test_who_has_another_password_is_told_so_and_no_task_is_started(
        self, bench: WorkerBench, server: WebDavServer, container: tuple[Container, WorkerBench]
    ) -> None:
        job = a_job(bench, of_webdav(server.url), "wr0ng-one", "echo no").start()
        done = job.finish()
        assert (done.report.outcome, done.report.reason) == (Outcome.SYSTEM_FAILED, Reason.STORAGE_MOUNT_FAILED)
        assert "the server refuses it to this user with this password or key" in done.sentence
        assert (done.stdout, done.report.tasks) == ("", ())
        assert "wr0ng-one" not in str(done.report) + done.stderr
        assert is_let_go(job, container[0])

    @pytest.mark.parametrize(
        ("path", "reason", "sentence"),
        [
            ("none/", Reason.STORAGE_MOUNT_FAILED, "there is no such directory"),
            (":9/", Reason.STORAGE_UNAVAILABLE, "the server cannot be reached"),
        ],
    )
    def test_what_is_not_there_is_told(
        self, path: str, reason: Reason, sentence: str, bench: WorkerBench, server: WebDavServer
    ) -> None:
        url = server.url + path if path[0] != ":" else re.sub(r":\d+/$", path, server.url)
        done = a_job(bench, of_webdav(url), server.password, "true").start().finish()
        assert (done.report.reason, sentence in done.sentence) == (reason, True), done.sentence

    def test_what_the_server_does_not_take_fails_the_job(
        self, bench: WorkerBench, image: str, engine: docker.DockerClient
    ) -> None:
        with webdav(engine, image, gateway(engine), "--read-only") as server:
            done = a_job(bench, of_webdav(server.url), server.password, "echo a > /data/a; sleep 2").start().finish()
        assert (done.exit_code, done.report.reason) == (250, Reason.STORAGE_NOT_WRITTEN), done.report
        assert "a: " in done.sentence
        assert [task.exit_code for task in done.report.tasks] == [0]

    def test_what_a_server_that_has_gone_did_not_get_fails_the_job(
        self, bench: WorkerBench, image: str, engine: docker.DockerClient, container: tuple[Container, WorkerBench]
    ) -> None:
        with webdav(engine, image, gateway(engine)) as server:
            script = "exec 3> /data/b; touch here; while [ ! -e go ]; do sleep 0.1; done; echo b >&3"
            job = a_job(bench, of_webdav(server.url), server.password, script).start()
            until(lambda: (job.sandbox / "home" / "here").exists(), 60)
        (job.sandbox / "home" / "go").touch()
        done = job.finish()
        assert (done.exit_code, done.report.reason) == (250, Reason.STORAGE_NOT_WRITTEN), done.report
        assert is_let_go(job, container[0])

    def test_what_was_written_before_the_job_is_told_to_stop_comes_there(
        self, bench: WorkerBench, server: WebDavServer, container: tuple[Container, WorkerBench]
    ) -> None:
        script = "echo kept > /data/kept; touch here; sleep 600"
        job = a_job(bench, of_webdav(server.url), server.password, script, farewell_s=20).start()
        until(lambda: (job.sandbox / "home" / "here").exists(), 60)
        job.signal(signal.SIGTERM)
        assert job.finish().report.reason is Reason.INTERRUPTED
        assert server.get("kept") == "kept\n"
        assert is_let_go(job, container[0])


class TestS3:
    def test_tasks_read_what_is_there_and_what_they_write_is_there_afterwards(
        self, bench: WorkerBench, account: S3Account
    ) -> None:
        store = client(account)
        store.put_object(Bucket="my-data", Key="runs/in/words", Body=b"one two\n")
        script = "cat /data/in/words; echo three > /data/out; dd if=/dev/zero of=/data/large bs=1M count=20 2>/dev/null"
        storage = of_s3(account, prefix="runs", region="us-east-1")
        done = a_job(bench, storage, account.secret_key, script).start().finish()
        assert (done.exit_code, done.stdout) == (0, "one two\n"), (done.stderr, done.report)
        assert store.get_object(Bucket="my-data", Key="runs/out")["Body"].read() == b"three\n"
        assert store.head_object(Bucket="my-data", Key="runs/large")["ContentLength"] == 20 * 1024 * 1024
        assert account.secret_key not in str(done.report) + done.stdout + done.stderr

    def test_a_prefix_under_which_nothing_is_yet_is_an_empty_directory(
        self, bench: WorkerBench, account: S3Account
    ) -> None:
        storage = of_s3(account, prefix="new/one")
        done = a_job(bench, storage, account.secret_key, "ls /data; echo a > /data/a").start().finish()
        assert (done.exit_code, done.stdout) == (0, ""), done.report
        assert client(account).get_object(Bucket="my-data", Key="new/one/a")["Body"].read() == b"a\n"

    @pytest.mark.parametrize(
        ("changes", "secret", "sentence"),
        [
            ({}, "wr0ng-one", "the server refuses it to this user with this password or key"),
            ({"bucket": "not-there"}, "", "there is no bucket not-there"),
            ({"bucket": "not-there", "prefix": "a"}, "", "there is no bucket not-there"),
        ],
    )
    def test_who_is_not_let_in_is_told_why(
        self, changes: dict[str, str], secret: str, sentence: str, bench: WorkerBench, account: S3Account
    ) -> None:
        done = a_job(bench, of_s3(account, **changes), secret or account.secret_key, "echo no").start().finish()
        assert (done.report.reason, sentence in done.sentence) == (Reason.STORAGE_MOUNT_FAILED, True), done.sentence
        assert done.stdout == ""


class TestHostile:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost.", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]"])
    def test_nothing_on_the_worker_itself_is_connected_to(self, host: str, bench: WorkerBench) -> None:
        with serving({"/": b"secret of the worker"}) as base:
            url = f"http://{host}:{base.rpartition(':')[2]}/"
            done = a_job(bench, of_webdav(url), "x", "ls /data; cat /data/*").start().finish()
        assert (done.report.reason, done.stdout) == (Reason.STORAGE_MOUNT_FAILED, ""), done.report
        assert "its address is one that nothing is fetched from" in done.sentence

    def test_nor_a_metadata_service(self, bench: WorkerBench) -> None:
        done = a_job(bench, of_webdav("http://169.254.169.254/latest/"), "x", "ls /data").start().finish()
        assert "its address is one that nothing is fetched from" in done.sentence

    def test_nor_what_a_server_sends_it_to(self, bench: WorkerBench, image: str, engine: docker.DockerClient) -> None:
        # On the worker, which shares this machine's network here.
        with (
            webdav(engine, image, "127.0.0.1") as within,
            redirecting(gateway(engine), within.url) as (url, asked),
        ):
            within.put("secret", "of the worker")
            done = a_job(bench, of_webdav(url), within.password, "cat /data/secret").start().finish()
        assert asked, "it was there"
        assert done.report.reason in (Reason.STORAGE_MOUNT_FAILED, Reason.STORAGE_UNAVAILABLE), done.report
        assert done.stdout == ""

    def test_a_task_gets_at_neither_the_secret_nor_what_mounts_it(
        self, bench: WorkerBench, server: WebDavServer
    ) -> None:
        script = "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -c 'RCLON[E]_'; ls /proc | grep -c '^[0-9]*$'"
        script += "; ls -a /home/user /; umount /data; mount | grep -c ' /data '"
        done = a_job(bench, of_webdav(server.url), server.password, script).start().finish()
        lines = done.stdout.splitlines()
        assert lines[0] == "0"
        assert int(lines[1]) < 10, "its own processes alone"
        assert lines[-1] == "1", "it stays mounted"
        assert server.password.partition(" ")[2] not in done.stdout


def test_a_worker_tells_what_it_can_mount_and_tries_that_out(
    container: tuple[Container, WorkerBench], engine: docker.DockerClient, image: str
) -> None:
    def told(worker: Container, bench: WorkerBench) -> str:
        command = ["/usr/bin/python3", "-I", "-S", str(bench.executor), "--storage"]
        done = worker.exec_run(command, user="20001:20001", workdir="/tmp")
        assert done.exit_code == 0, done.output
        return str(done.output.decode()).strip()

    assert told(*container) == "webdav b2drop s3"
    with open_directory() as directory:
        registry = container[1].registry
        with worker_container(engine, image, directory, registry, prepared=False) as bare:
            assert told(bare, WorkerBench(directory, registry, bare)) == "", "its /dev/fuse is root's alone"


def _command_line(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return file.read()
    except OSError:
        return ""
