"""What a job does when the object store is away, or its worker's disk is full, and how it fares with much output."""

from __future__ import annotations

import http.server
import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from real_executor import Bench, BrokerProcess, Job, Registry, open_directory, until

from prominence.core.plan import TOKEN_FILE, PlannedArtifact
from prominence.core.reasons import Reason
from prominence.core.report import HANDED_BACK_BY, Outcome

MIB = 1024 * 1024


class Store:
    """The API with an object store, as the executor meets them. away: whether nothing can be had there for now.

    expire: how many of the addresses that are given next have expired when they are used.
    """

    def __init__(self) -> None:
        self.away = False
        self.expire = 0
        self.given = 0
        self.refused = 0
        self.objects: dict[str, bytes] = {}
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(store: Store) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """An address, for the name of an object."""
            name = json.loads(self._body())["name"]
            store.given += 1
            until = "past" if store.given <= store.expire else "future"
            self._answer(json.dumps({"url": f"{store.url}/{name}?expires={until}"}).encode())

        def do_PUT(self) -> None:
            content = self._body()
            if self._answer(b""):
                store.objects[self._name] = content

        def do_GET(self) -> None:
            self._answer(store.objects[self._name])

        @property
        def _name(self) -> str:
            return self.path[1:].partition("?")[0]

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers["Content-Length"]))

        def _answer(self, content: bytes) -> bool:
            store.refused += store.away
            status = 503 if store.away else 403 if self.path.endswith("?expires=past") else 200
            content = content if status == 200 else b"<Code>AccessDenied</Code>"
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return status == 200

        def log_message(self, format: str, *args: Any) -> None:
            """Not on the tests' output."""

    return Handler


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    yield store
    store.close()


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    registry = Registry()
    yield registry
    registry.close()


@contextmanager
def a_bench(directory: Path, registry: Registry) -> Iterator[Bench]:
    with BrokerProcess(directory, execute_dir=str(directory)).running() as broker:
        environment = {"PROMINENCE_BROKER_SOCKET": str(broker.socket), "_CONDOR_MACHINE_AD": ".machine.ad"}
        yield Bench(directory, registry, [], environment)


@pytest.fixture
def bench(registry: Registry) -> Iterator[Bench]:
    with open_directory() as directory, a_bench(directory, registry) as bench:
        yield bench


@pytest.fixture
def small(registry: Registry) -> Iterator[Bench]:
    """A worker whose disk has 64 MiB."""
    with open_directory() as directory:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=0711", "tmpfs", directory], check=True)
        try:
            with a_bench(directory, registry) as bench:
                yield bench
        finally:
            subprocess.run(["umount", "--lazy", directory], check=True)


def job(bench: Bench, store: Store, script: str, **changes: Any) -> Job:
    """One that uses the store."""
    made = bench.job(script, api=store.url, **changes)
    (made.sandbox / TOKEN_FILE).write_text("a token")
    return made.start()


class TestTheStoreIsAway:
    @pytest.mark.slow
    @pytest.mark.timeout(900)
    def test_for_a_minute_and_the_output_is_kept_nevertheless(self, bench: Bench, store: Store) -> None:
        store.away = True
        kept = job(bench, store, "echo kept > made", output_files=("made",))
        until(lambda: store.refused == 7, 200)  # after 0, 1, 3, 7, 15, 31 and 63 s
        store.away = False
        done = kept.finish(200)
        assert (done.exit_code, store.objects) == (0, {"made": b"kept\n"}), done.report

    def test_for_ever_and_the_job_fails_for_that_reason_with_all_that_it_has_told(
        self, bench: Bench, store: Store
    ) -> None:
        store.away = True
        done = job(bench, store, "echo told; echo lost > made", output_files=("made",), patience_s=3).finish()
        assert (done.report.outcome, done.report.reason) == (Outcome.SYSTEM_FAILED, Reason.OUTPUT_UPLOAD_FAILED)
        assert done.sentence.startswith("The output made could not be stored: the server says 503")
        assert [one.status for one in done.report.stage_out] == ["failedUpload"]
        assert (done.stdout, done.report.tasks[0].exit_code, store.refused) == ("told\n", 0, 3)

    def test_before_the_tasks_and_none_of_them_is_run(self, bench: Bench, store: Store) -> None:
        store.away, store.objects = True, {"in": b"x"}
        artifacts = (PlannedArtifact("in", "in", is_object=True),)
        done = job(bench, store, "echo ran", artifacts=artifacts, patience_s=3).finish()
        assert (done.report.reason, done.stdout, store.refused) == (Reason.ARTIFACT_DOWNLOAD_FAILED, "", 3)


class TestAnAddressHasExpired:
    def test_before_the_tasks_and_a_new_one_is_asked_for(self, bench: Bench, store: Store) -> None:
        store.expire, store.objects = 1, {"in": b"given\n"}
        artifacts = (PlannedArtifact("in", "in", is_object=True),)
        done = job(bench, store, "cat in", artifacts=artifacts).finish()
        assert (done.exit_code, done.stdout, store.given) == (0, "given\n", 2), done.report

    def test_after_the_tasks_and_a_new_one_is_asked_for(self, bench: Bench, store: Store) -> None:
        store.expire = 2  # the first is not used: this store does not tell the checksum of what has arrived
        done = job(bench, store, "echo kept > made", output_files=("made",)).finish()
        assert (done.exit_code, store.objects, store.given) == (0, {"made": b"kept\n"}, 3), done.report

    def test_and_so_has_every_new_one_which_is_told_at_once(self, bench: Bench, store: Store) -> None:
        store.expire = 100
        done = job(bench, store, "echo kept > made", output_files=("made",)).finish()
        assert (done.report.outcome, done.report.reason) == (Outcome.SYSTEM_FAILED, Reason.OUTPUT_UPLOAD_FAILED)
        assert done.sentence.startswith("The output made could not be stored: the server says 403")


class TestTheWorkersDiskIsFull:
    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["large", "large.tar"])
    def test_before_the_tasks_and_the_job_is_to_run_elsewhere(self, small: Bench, store: Store, name: str) -> None:
        store.objects = {name: bytes(100 * MIB)}
        artifacts = (PlannedArtifact(name, name, is_object=True),)
        full = job(small, store, "echo ran", artifacts=artifacts, disk_mib=1000)
        assert full.wait() == -HANDED_BACK_BY
        assert full.stdout() == ""

    @pytest.mark.slow
    def test_at_the_end_of_a_task_and_the_job_is_to_run_elsewhere(self, small: Bench, store: Store) -> None:
        full = job(small, store, "head -c 200000000 /dev/zero > large; echo nobody reads this")
        assert full.wait() == -HANDED_BACK_BY

    def test_for_a_while_in_a_task_that_knows_what_to_do_and_the_job_goes_on(self, small: Bench, store: Store) -> None:
        script = "head -c 200000000 /dev/zero > large 2> /dev/null || rm large && echo on"
        done = job(small, store, script).finish()
        assert (done.exit_code, done.stdout) == (0, "on\n"), done.report


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_task_that_prints_a_gigabyte_is_not_kept_in_memory(bench: Bench, store: Store) -> None:
    printing = job(bench, store, "head -c 1000000000 /dev/zero; sleep 600")
    stdout = printing.sandbox / "stdout"
    until(lambda: stdout.stat().st_size == 1_000_000_000, 200)
    executor = int((printing.sandbox / "pid").read_text())
    told = Path(f"/proc/{executor}/status").read_text()
    [peak_kib] = [int(line.split()[1]) for line in told.splitlines() if line.startswith("VmHWM")]
    assert peak_kib < 100 * 1024
    printing.signal(signal.SIGTERM)
    printing.wait()
    assert printing.report().outcome is Outcome.REMOVED
