"""A search server on this machine, and a disguise in which the official client of Elasticsearch speaks to it.

The server is OpenSearch (`search_assembly`), which was Elasticsearch 7.10 once and has the same operations. The client
asks whether it speaks to Elasticsearch, and names its version in the type of what it sends: the disguise takes that
away, and answers what the client wants to hear. What is looked up and added up is the server's own work.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from patience import PATIENCE
from search_assembly import assembled, command
from servers import Server, free_ports

VERSION = "8.19.0"


class SearchServer(Server):
    """On the loopback interface. What it holds survives `kill` and `start`."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self._home = home
        self.port, self._transport = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        (self._home / "config").mkdir(parents=True, exist_ok=True)
        words = command(assembled(), str(self._home), str(self.port), str(self._transport))
        with open(self._home / "log", "ab") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log)
        deadline = time.monotonic() + 60 * PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the search server does not start: {(self._home / 'log').read_text()[-3000:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            health = requests.get(f"{self.url}/_cluster/health", timeout=5)
        except requests.ConnectionError:
            return False
        return health.status_code == 200 and health.json()["status"] != "red"


@dataclass
class Disguise:
    """Where the client finds the server. lost: answers to bulk requests that do not reach it from now on, though the
    server has done what was asked. refused: requests that are refused with this status from now on.
    policies: of lifecycles, by path, where the server is to seem to have some.
    """

    server: SearchServer
    lost: int = 0
    refused: list[int] = field(default_factory=list)
    policies: dict[str, Any] | None = None
    url: str = ""


@contextmanager
def disguised(server: SearchServer) -> Iterator[Disguise]:
    """As long as it is used."""
    disguise = Disguise(server)

    class Handler(_Handler):
        told = disguise

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        disguise.url = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        try:
            yield disguise
        finally:
            listening.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    told: Disguise

    def do_GET(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.told.refused:
            self._answer(self.told.refused.pop(0), json.dumps({"error": "as the test wants it"}).encode())
            return
        if self.told.policies is not None and self.path.startswith("/_ilm/"):
            self._policy(self.told.policies, content)
            return
        path, content = _plain(self.command, self.path, content)
        kind = "application/x-ndjson" if "ndjson" in self.headers.get("Content-Type", "") else "application/json"
        try:
            answer = requests.request(
                self.command, self.told.server.url + path, data=content, headers={"Content-Type": kind}, timeout=60
            )
        except requests.ConnectionError:
            self.close_connection = True
            return
        if self.told.lost and "_bulk" in path:
            self.told.lost -= 1
            self.close_connection = True
            return
        self._answer(answer.status_code, _as_elasticsearch(path, answer.content))

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def log_message(self, format: str, *arguments: Any) -> None:
        """Not on stderr."""

    def _policy(self, policies: dict[str, Any], content: bytes) -> None:
        if self.command == "PUT":
            policies[self.path] = json.loads(content)
        there = self.path in policies
        self._answer(200 if there else 404, json.dumps(policies if there else {"error": "no such policy"}).encode())

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.elasticsearch+json;compatible-with=8")
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _plain(method: str, path: str, content: bytes) -> tuple[str, bytes]:
    """As the server knows it. It has views of a moment at another address."""
    parts = urlsplit(path)
    if parts.path == "/_pit" and method == "DELETE":
        return "/_search/point_in_time", json.dumps({"pit_id": [json.loads(content)["id"]]}).encode()
    if parts.path.startswith("/_index_template/") and b'"lifecycle"' in content:
        found = json.loads(content)
        del found["template"]["settings"]["index"]["lifecycle"]
        return path, json.dumps(found).encode()
    if parts.path.endswith("/_pit"):
        return f"{parts.path.removesuffix('_pit')}_search/point_in_time?{parts.query}", b""
    return path, content


def _as_elasticsearch(path: str, content: bytes) -> bytes:
    if path == "/":
        found = json.loads(content)
        found["version"]["number"] = VERSION
        return json.dumps(found).encode()
    if "/point_in_time" in path and b"pit_id" in content:
        found = json.loads(content)
        return json.dumps({**found, "id": found.get("pit_id")}).encode()
    return content
