"""A real program of a user's that is called (http.server). It keeps what comes, and answers as told."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from patience import PATIENCE


@dataclass(frozen=True)
class Letter:
    """As it came. headers: by their names in small letters."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class WebhookServer:
    """answers: the statuses of the next answers, and then 204. says: what a server that is none says instead."""

    def __init__(self, host: str = "127.0.0.1", certificate: Path | None = None) -> None:
        self.letters: list[Letter] = []
        self.answers: list[int] = []
        self.says: Callable[[BaseHTTPRequestHandler], object] | None = None
        self.arrived = threading.Condition()
        office = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                office.take(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer((host, 0), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "http" if certificate is None else "https"
        self.port = self._server.server_address[1]
        self.url = f"{scheme}://{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        """One letter."""
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        with self.arrived:
            headers = {name.lower(): value for name, value in handler.headers.items()}
            self.letters.append(Letter(handler.path, headers, body))
            status = self.answers.pop(0) if self.answers else 204
            self.arrived.notify_all()
        if self.says is not None:
            self.says(handler)
            return
        handler.send_response(status)
        handler.send_header("Location", f"{self.url}/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def wait(self, count: int, timeout_s: float = 60) -> list[Letter]:
        """What has come, once it is so many."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.letters) >= count, timeout_s * PATIENCE), self.letters
            return list(self.letters)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def running(host: str = "127.0.0.1", certificate: Path | None = None) -> Iterator[WebhookServer]:
    """A server, until the end."""
    server = WebhookServer(host, certificate)
    server.start()
    try:
        yield server
    finally:
        server.stop()
