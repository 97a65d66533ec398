"""Sentences for an engine that does not do what it is asked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from docker.errors import APIError, DockerException

from prominence.cli.pool import engine
from prominence.cli.pool.errors import PoolError


@pytest.mark.parametrize(
    "error", [APIError("no"), DockerException("no"), requests.ReadTimeout("no"), requests.ConnectionError("no")]
)
def test_whatever_the_engine_does_not_do_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(engine, "connect", lambda: SimpleNamespace(close=lambda: None))
    with pytest.raises(PoolError, match="^The Docker engine .*no"), engine.engine():
        raise error


class Engine:
    def __init__(self, *security: str) -> None:
        self._security = list(security)

    def info(self) -> dict[str, object]:
        return {"SecurityOptions": self._security}


@pytest.fixture(autouse=True)
def no_contexts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The docker command's configuration, empty at first."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize("host", ["tcp://10.0.0.1:2376", "ssh://other"])
def test_an_engine_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(PoolError, match="not on this machine"):
        engine.own_socket(Engine(), {"DOCKER_HOST": host})


def test_an_engine_that_is_not_roots_is_refused() -> None:
    with pytest.raises(PoolError, match="not run by root"):
        engine.own_socket(Engine("name=seccomp", "name=rootless"), {"DOCKER_HOST": "unix:///run/user/1/docker.sock"})


def test_this_machines_own_engine_may_listen_anywhere() -> None:
    assert engine.own_socket(Engine(), {"DOCKER_HOST": "unix:///srv/engine/docker.sock"}) == "/srv/engine/docker.sock"
    assert engine.own_socket(Engine(), {}) == "/var/run/docker.sock"


def test_the_docker_commands_context_is_followed(no_contexts: Path) -> None:
    folder = no_contexts / "contexts" / "meta" / hashlib.sha256(b"elsewhere").hexdigest()
    folder.mkdir(parents=True)
    endpoint = {"Host": "unix:///srv/engine/docker.sock", "SkipTLSVerify": False}
    text = json.dumps({"Name": "elsewhere", "Metadata": {}, "Endpoints": {"docker": endpoint}})
    (folder / "meta.json").write_text(text)
    assert engine.host({"DOCKER_CONTEXT": "elsewhere"}) == "unix:///srv/engine/docker.sock"
    assert engine.host({"DOCKER_CONTEXT": "elsewhere", "DOCKER_HOST": "tcp://first"}) == "tcp://first"
    assert engine.host({}) == "unix:///var/run/docker.sock"
    (no_contexts / "config.json").write_text('{"currentContext": "elsewhere"}')
    assert engine.host({}) == "unix:///srv/engine/docker.sock"


def test_a_context_that_is_not_there_is_named() -> None:
    with pytest.raises(PoolError, match="no Docker context missing"):
        engine.host({"DOCKER_CONTEXT": "missing"})
