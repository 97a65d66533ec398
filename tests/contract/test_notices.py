"""A worker hears from metadata services that its cloud takes it away: of servers that speak as those of the clouds do.

Written from their documentation, with what they insist upon: Amazon on a token that a PUT gives, others on a header.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from worker_programs import loaded

heed = loaded("heed-notice")

TOKEN = "AQAEAFake"
NOTICES = {
    "ec2": ("/latest/meta-data/spot/instance-action", b'{"action": "terminate", "time": "2030-09-18T08:22:00Z"}'),
    "google": ("/computeMetadata/v1/instance/preempted", b"TRUE"),
    "azure": (
        "/metadata/scheduledevents?api-version=2020-07-01",
        b'{"DocumentIncarnation": 2, "Events": [{"EventId": "1", "EventType": "Preempt", "EventStatus": "Scheduled",'
        b' "ResourceType": "VirtualMachine", "NotBefore": "Wed, 18 Sep 2030 08:22:00 GMT"}]}',
    ),
}
QUIET = {"ec2": None, "google": b"FALSE", "azure": b'{"DocumentIncarnation": 1, "Events": []}'}
HEADERS = {
    "ec2": ("X-aws-ec2-metadata-token", TOKEN),
    "google": ("Metadata-Flavor", "Google"),
    "azure": ("Metadata", "true"),
}


class Handler(BaseHTTPRequestHandler):
    """Of the cloud `kind`."""

    kind = ""
    answer: bytes | None = None
    breaks = False

    def do_PUT(self) -> None:
        is_right = self.path == "/latest/api/token" and self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self._say(200 if self.kind == "ec2" and is_right else 400, TOKEN.encode())

    def do_GET(self) -> None:
        if self.breaks:
            self.wfile.write(b"nonsense\r\n\r\n")
            return
        name, value = HEADERS[self.kind]
        if self.headers[name] != value:
            self._say(401, b"")
        elif self.path != NOTICES[self.kind][0] or self.answer is None:
            self._say(404, b"<html>not found</html>")
        else:
            self._say(200, self.answer)

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


class Metadata:
    """The service of one cloud."""

    def __init__(self, kind: str) -> None:
        self.handler: Any = type("Of", (Handler,), {"kind": kind, "answer": QUIET[kind]})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self.kind = kind
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def look(self) -> Any:
        """As a worker does."""
        return heed.LOOKS[self.kind](heed.Service(f"http://127.0.0.1:{self.server.server_port}"))

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(params=sorted(NOTICES))
def metadata(request: pytest.FixtureRequest) -> Iterator[Metadata]:
    found = Metadata(request.param)
    yield found
    found.close()


def test_a_worker_stays_until_it_is_told(metadata: Metadata) -> None:
    assert metadata.look() is None
    metadata.handler.answer = NOTICES[metadata.kind][1]
    assert metadata.look() == (
        "" if metadata.kind == "google" else datetime(2030, 9, 18, 8, 22, tzinfo=UTC).timestamp()
    )


def test_the_service_is_asked_past_all_proxies(metadata: Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert metadata.look() is None


def test_a_service_that_breaks_is_no_notice(metadata: Metadata) -> None:
    metadata.handler.breaks = True
    looks = []

    def look(service: Any) -> Any:
        looks.append(1)
        if len(looks) == 3:
            metadata.handler.breaks = False
            metadata.handler.answer = NOTICES[metadata.kind][1]
        return heed.LOOKS[metadata.kind](service)

    service = heed.Service(f"http://127.0.0.1:{metadata.server.server_port}")
    assert heed.wait_for_notice(look, service, pause=lambda _: None) is not None
    assert len(looks) == 3
