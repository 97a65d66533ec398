"""A WebDAV server for tests, and one that is none: it sends whoever asks to somewhere else."""

from __future__ import annotations

import http.server
import shlex
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import docker
from docker.models.containers import Container

USER = "alice"


@dataclass(frozen=True)
class WebDavServer:
    """url: of the directory. password: of USER."""

    url: str
    password: str
    container: Container

    def put(self, name: str, content: str) -> None:
        self._run(f"mkdir -p $(dirname {name}) && printf %s {shlex.quote(content)} > {name}")

    def get(self, name: str) -> str:
        """What is in a file; "" if there is none."""
        return self._run(f"cat {shlex.quote(name)} 2>/dev/null || true")

    def names(self, directory: str) -> list[str]:
        return self._run(f"ls {shlex.quote(directory)}").splitlines()

    def size(self, name: str) -> int:
        return int(self._run(f"stat -c %s {name}"))

    def _run(self, script: str) -> str:
        done = self.container.exec_run(["sh", "-c", script], workdir="/srv")
        assert done.exit_code == 0, done.output
        return str(done.output.decode())


@contextmanager
def webdav(engine: docker.DockerClient, image: str, address: str, *options: str) -> Iterator[WebDavServer]:
    """rclone's server out of a worker's image, on this address of the machine's, until the end of the block."""
    password, port = f"pass {uuid.uuid4().hex}", _free_port(address)
    container = engine.containers.run(
        image,
        ["rclone", "serve", "webdav", "--addr", f"{address}:{port}", *options, "/srv"],
        detach=True,
        network_mode="host",
        environment={"RCLONE_USER": USER, "RCLONE_PASS": password},
        labels={"prominence.test": "webdav"},
    )
    try:
        _wait_for(address, port)
        yield WebDavServer(f"http://{address}:{port}/", password, container)
    finally:
        container.remove(force=True, v=True)


@contextmanager
def redirecting(address: str, to: str) -> Iterator[tuple[str, list[str]]]:
    """A server that answers everything with "it is there"; its address, and the methods by which it was asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append(self.command)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(307)
            self.send_header("Location", to)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD = do_PROPFIND = do_PUT = do_MKCOL = answer

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((address, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{address}:{server.server_port}/", asked
    finally:
        server.shutdown()
        server.server_close()


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str, port: int) -> None:
    give_up_at = time.monotonic() + 30
    while True:
        try:
            socket.create_connection((address, port), 1).close()
        except OSError:
            assert time.monotonic() < give_up_at, "the WebDAV server does not start"
            time.sleep(0.05)
        else:
            return
