"""Sentences for an engine that does not do what it is asked."""

from __future__ import annotations

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


@pytest.mark.parametrize("host", ["tcp://10.0.0.1:2376", "ssh://other", "unix:///run/user/1000/docker.sock"])
def test_an_engine_that_is_not_this_machines_own_is_refused(host: str) -> None:
    with pytest.raises(PoolError, match="unset DOCKER_HOST"):
        engine.refuse_elsewhere({"DOCKER_HOST": host})


@pytest.mark.parametrize("host", ["", "unix:///var/run/docker.sock", "unix:///var/run/../run/docker.sock"])
def test_this_machines_own_engine_is_taken_however_it_is_named(host: str) -> None:
    engine.refuse_elsewhere({"DOCKER_HOST": host})
