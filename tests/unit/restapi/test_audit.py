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
    told = [(line["act"], line["by"], line["on"]) for line in lines()]
    assert told == [
        ("POST /jobs", "alice", {}),
        ("PUT /jobs/<job>/hold", "alice", {"job": str(job)}),
        ("POST /kv/<key>", "alice", {"key": "secret"}),
        ("DELETE /jobs/<job>", "alice", {"job": str(job)}),
    ]
    assert lines()[1]["request"] == "r-2"
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
