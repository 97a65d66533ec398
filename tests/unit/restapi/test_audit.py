"""The audit log: who has changed what."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import job_json
from builders_restapi import Api, an_api

from prominence.core import logs, tracing

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def api() -> Api:
    return an_api()


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lines:
    """What the audit log says, as far as it matters."""
    written: list[dict[str, Any]] = []

    def info(_: logs.Log, event: str, /, **fields: object) -> None:
        if event == "audit":
            written.append(json.loads(json.dumps({**fields, "request": tracing.current()}, default=str)))

    monkeypatch.setattr(logs.Log, "info", info)
    return lambda: written


def test_each_request_that_has_changed_something_leaves_a_line(api: Api, lines: Lines) -> None:
    job = api.submit()
    api.call("PUT", f"/jobs/{job}/hold", headers={tracing.HEADER: "r-2"})
    api.call("POST", "/kv/secret", data=b"content that nobody else shall see")
    api.call("DELETE", f"/jobs/{job}")
    told = [(line["act"], line["by"], line["on"]) for line in lines() if "on" in line]
    assert told == [
        ("POST /jobs", "alice", {}),
        ("PUT /jobs/<job>/hold", "alice", {"job": str(job)}),
        ("POST /kv/<key>", "alice", {"key": "secret"}),
        ("DELETE /jobs/<job>", "alice", {"job": str(job)}),
    ]
    assert [line["request"] for line in lines() if line["act"] == "PUT /jobs/<job>/hold"] == ["r-2"]
    assert "content" not in json.dumps(lines())


def test_what_looks_or_fails_leaves_none(api: Api, lines: Lines) -> None:
    api.get("/jobs")
    api.call("POST", "/jobs", json={"nonsense": True})
    api.call("DELETE", "/jobs/99")
    api.client.post("/prominence/v1/jobs", json=job_json())
    assert lines() == []


def test_of_a_job_that_was_changed_it_is_told_from_what_to_what(api: Api, lines: Lines) -> None:
    job = api.submit(labels={"a": "1"}, policies={"priority": 1})
    api.call("PATCH", f"/jobs/{job}", json={"labels": {"a": "2"}})
    [change] = [line for line in lines() if line["act"] == "edit job"]
    assert (change["job"], change["by"]) == (job, "alice")
    assert (change["before"], change["after"]) == ({"labels": {"a": "1"}}, {"labels": {"a": "2"}})


def changes(lines: Lines, act: str) -> list[tuple[Any, Any]]:
    """From what to what these acts changed something."""
    return [(line["before"], line["after"]) for line in lines() if line["act"] == act]


def test_of_jobs_that_were_deleted_it_is_told_how_they_were(api: Api, lines: Lines) -> None:
    waiting, running = api.submit(), api.submit()
    api.run(running)
    api.call("DELETE", f"/jobs?id={waiting},{running}")
    assert changes(lines, "delete jobs") == [({str(waiting): "idle", str(running): "running"}, "deleted")]


def test_of_a_token_its_record_is_told_and_never_the_token(api: Api, lines: Lines) -> None:
    made = api.call("POST", "/tokens", json={"name": "night"}).json
    assert made is not None
    api.call("DELETE", f"/tokens/{made['id']}")
    record = {key: value for key, value in made.items() if key != "token"}
    assert changes(lines, "token.create") == [(None, record)]
    assert changes(lines, "token.revoke") == [(record, None)]
    assert made["token"] not in json.dumps(lines())


def test_of_keys_sizes_and_digests_are_told(api: Api, lines: Lines) -> None:
    for value in (b"first", b"another"):
        api.call("POST", "/kv/a", data=value)
    api.call("DELETE", "/kv/a")
    api.call("POST", "/kv/b/1", data=b"x")
    api.call("DELETE", "/kv/b?prefix")
    [(nothing, first), (before, second), _] = changes(lines, "set key")
    assert (nothing, before["bytes"], first, second["bytes"]) == (None, 5, before, 7)
    assert first["sha256"] != second["sha256"]
    assert changes(lines, "delete key") == [(second, None)]
    assert changes(lines, "delete keys") == [({"keys": 1, "bytes": 4}, None)]
    assert "another" not in json.dumps(lines())
