"""Kibana's saved objects: what is described is what is written, and they come into Kibana.

There is no Kibana where these tests run. Its double here is written after the reference of its API.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from monitoring.kibana.__main__ import main
from monitoring.kibana.dashboards import DASHBOARDS
from monitoring.kibana.objects import objects

KEY = "a2V5OnNlY3JldA=="


class Double(ThreadingHTTPServer):
    """Kibana, as far as importing goes. there: saved objects, by space, type and id. faulty: an id that it refuses."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.there: dict[tuple[str, str, str], Any] = {}
        self.faulty = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def take(self, space: str, lines: list[Any], overwrite: bool) -> dict[str, Any]:
        """What it answers. An object comes in when all that it refers to is there or comes with it."""
        known = {key[1:] for key in self.there if key[0] == space} | {(one["type"], one["id"]) for one in lines}
        errors = []
        for one in lines:
            kind, name = one["type"], one["id"]
            missing = [r for r in one["references"] if (r["type"], r["id"]) not in known]
            if missing:
                errors.append(_error(one, {"type": "missing_references", "references": missing}))
            elif name == self.faulty:
                errors.append(_error(one, {"type": "unsupported_type"}))
            elif (space, kind, name) in self.there and not overwrite:
                errors.append(_error(one, {"type": "conflict"}))
            else:
                self.there[space, kind, name] = one
        told: dict[str, Any] = {"success": not errors, "successCount": len(lines) - len(errors), "warnings": []}
        return {**told, "errors": errors} if errors else told


def _error(one: dict[str, Any], error: dict[str, Any]) -> dict[str, Any]:
    return {"id": one["id"], "type": one["type"], "title": one["attributes"]["title"], "error": error}


class _Handler(BaseHTTPRequestHandler):
    server: Double

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        path, _, query = self.path.partition("?")
        place, _, end = path.partition("/api/saved_objects/_import")
        if self.headers.get("Authorization") not in (f"ApiKey {KEY}", "Basic YWxpY2U6c2VjcmV0"):
            return self._answer(401, {"statusCode": 401, "error": "Unauthorized"})
        if "kbn-xsrf" not in self.headers:
            return self._answer(400, {"statusCode": 400, "message": "Request must contain a kbn-xsrf header."})
        if end or path == place:
            return self._answer(404, {"statusCode": 404})
        form = message_from_bytes(f"Content-Type: {self.headers['Content-Type']}\n\n".encode() + content)
        parts = form.get_payload()
        assert isinstance(parts, list)
        [file] = parts
        if not (file.get_filename() or "").endswith(".ndjson"):
            return self._answer(400, {"statusCode": 400, "message": "Invalid file extension"})
        text = file.get_payload(decode=True)
        assert isinstance(text, bytes)
        lines = [json.loads(line) for line in text.decode().splitlines() if line]
        space = place.removeprefix("/s/") if place else "default"
        return self._answer(200, self.server.take(space, lines, query == "overwrite=true"))

    def log_message(self, format: str, *arguments: Any) -> None:
        """Not on stderr."""

    def _answer(self, status: int, told: dict[str, Any]) -> None:
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def double() -> Iterator[Double]:
    with Double() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    (tmp_path / "key").write_text(f"{KEY}\n")
    return tmp_path / "key"


def install(double: Double, *words: str | Path) -> int:
    return main(["install", "--url", double.url, *map(str, words)])


def test_they_come_into_kibana_and_again_in_their_own_place(double: Double, key: Path) -> None:
    for _ in range(2):
        assert install(double, "--api-key-file", key) == 0
        assert len(double.there) == len(list(objects()))
    kinds = [kind for _, kind, _ in double.there]
    assert kinds.count("dashboard") == len(DASHBOARDS)


def test_a_space_an_index_and_a_password_can_be_said(double: Double, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    login = ("--user", "alice", "--password-file", tmp_path / "password")
    assert install(double, "--space", "physics", "--index", "west", *login) == 0
    assert double.there["physics", "index-pattern", "west-usage"]["attributes"]["title"] == "west-usage-*"


def test_what_kibana_refuses_is_told(double: Double, key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    double.faulty = "prominence-usage-cost"
    assert install(double, "--api-key-file", key) == 1
    assert "not installed: dashboard prominence-usage-cost: unsupported_type" in capsys.readouterr().err
    assert install(double) == 1
    assert "Kibana refuses: 401" in capsys.readouterr().err


def test_a_kibana_that_is_not_there_is_told(double: Double, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--url", "http://127.0.0.1:1"]) == 1
    assert "Kibana does not answer" in capsys.readouterr().err
