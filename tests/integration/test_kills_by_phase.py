"""A worker that dies takes no job with it, whatever phase of the job it dies in: the next attempt does all of it."""

from __future__ import annotations

import hashlib
import http.server
import os
import signal
import threading
from collections.abc import Iterator

import docker
import pytest
import requests
from real_executor import HeldRegistry
from real_parts import RealPool, gateway, new_pool, until

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(1200)]

ARTIFACT = os.urandom(300_000)
LARGE = 500_000_000
SUM = "sha256sum {0} > {0}.sum; echo on"


class HeldFile:
    """A web server of one file, of which half is sent until `release`."""

    def __init__(self, address: str) -> None:
        self.asked, self.released = threading.Event(), threading.Event()
        held = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(ARTIFACT)))
                self.end_headers()
                half = 0 if held.released.is_set() else len(ARTIFACT) // 2
                self.wfile.write(ARTIFACT[:half])
                held.asked.set()
                held.released.wait()
                self.wfile.write(ARTIFACT[half:])

            def handle(self) -> None:
                try:
                    super().handle()
                except ConnectionError:
                    return  # whoever asked has died

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.url = f"http://{address}:{self._server.server_port}/data.bin"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def held_file(engine: docker.DockerClient) -> Iterator[HeldFile]:
    file = HeldFile(gateway(engine))
    yield file
    file.close()


@pytest.fixture
def one_worker(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPool]:
    """A pool in which all jobs are on the same worker."""
    real = new_pool(tmp_path_factory.mktemp("state"), engine, "--idle-time", "30", "--max-workers", "1")
    try:
        real.up()
        yield real
    finally:
        real.down("--purge")


def test_a_worker_killed_in_each_phase_of_a_job(
    one_worker: RealPool, tiny_image: str, held_registry: HeldRegistry, held_file: HeldFile
) -> None:
    pool = one_worker

    def submit(script: str, image: str = tiny_image, cpus: int = 1, **changes: object) -> int:
        task = {"image": image, "cmd": "sh -c " + repr(script), "runtime": "docker"}
        resources = {"cpus": cpus, "memory": 0.2, "disk": 2}
        return pool.submit(task, resources=resources, **changes)

    running = submit(f"sleep 60; echo done > out; {SUM.format('out')}", cpus=5, outputFiles=["out", "*.sum"])
    pool.wait_for(running, "running")
    fetching = submit(SUM.format("data.bin"), artifacts=[{"url": held_file.url}], outputFiles=["data.bin", "*.sum"])
    pulling = submit(
        f"echo pulled > out; {SUM.format('out')}", f"{held_registry.host}/tiny:1", outputFiles=["out", "*.sum"]
    )
    assert held_file.asked.wait(60)
    assert held_registry.asked.wait(60)
    large = f"head -c {LARGE} /dev/urandom > out; {SUM.format('out')}"
    storing = submit(large, outputFiles=["*.sum", "out"])
    incoming = pool.state / "objects" / "incoming"
    until(lambda: any(path.stat().st_size > 1_000_000 for path in incoming.glob("*")), 120)

    (worker,) = pool.containers("worker")
    worker.reload()
    os.kill(worker.attrs["State"]["Pid"], signal.SIGKILL)
    held_registry.release()
    held_file.released.set()

    for job in (running, fetching, pulling, storing):
        described = pool.finish(job, timeout_s=300)
        assert described["status"] == "completed", described
        assert described["execution"]["retries"] == 1, described
        outputs = {one["name"]: one["url"] for one in described["outputFiles"]}
        (told,) = (requests.get(url, timeout=60).text for name, url in outputs.items() if name.endswith(".sum"))
        (file,) = (url for name, url in outputs.items() if not name.endswith(".sum"))
        digest = hashlib.sha256()
        with requests.get(file, timeout=60, stream=True) as answer:
            for piece in answer.iter_content(1_000_000):
                digest.update(piece)
        assert told.split()[0] == digest.hexdigest()
    assert not list(incoming.glob("*")) or all(path.stat().st_size < LARGE for path in incoming.glob("*"))
