"""The client over an API that goes away and comes back, on real sockets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from prominence.cli.client import Client
from prominence.cli.errors import Unreachable


class Api(ThreadingHTTPServer):
    """Hangs up on the first `hangs_up` requests and says "not now" to the next `not_now`."""

    def __init__(self, hangs_up: int, not_now: int) -> None:
        self.hangs_up, self.not_now = hangs_up, not_now
        self.heard: list[tuple[str, str | None, Any]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    def client(self) -> Client:
        return Client(f"http://127.0.0.1:{self.server_port}/prominence/v1", "a.b.c")


class Handler(BaseHTTPRequestHandler):
    server: Api

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.heard.append((self.path, self.headers["Idempotency-Key"], body))
        if len(self.server.heard) <= self.server.hangs_up:
            self.close_connection = True
            return
        turned_away = len(self.server.heard) <= self.server.hangs_up + self.server.not_now
        answer = json.dumps({"error": "Not now."} if turned_away else {"id": 12}).encode()
        self.send_response(503 if turned_away else 201)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api(request: pytest.FixtureRequest) -> Iterator[Api]:
    server = Api(*request.param)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("api", [(1, 1)], indirect=True)
def test_a_new_job_is_asked_for_again_with_the_same_key_until_it_is_there(api: Api) -> None:
    with api.client() as client:
        assert client.create_job({"name": "once"}) == 12
    assert len(api.heard) == 3
    assert len(set(map(str, api.heard))) == 1
    assert api.heard[0][1]


@pytest.mark.parametrize("api", [(100, 0)], indirect=True)
def test_what_the_api_would_not_know_again_is_asked_for_once(api: Api) -> None:
    with api.client() as client, pytest.raises(Unreachable, match="may have done all the same"):
        client._api.call("POST", "/tokens", body=b"{}")
    assert len(api.heard) == 1
