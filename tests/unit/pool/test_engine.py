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
