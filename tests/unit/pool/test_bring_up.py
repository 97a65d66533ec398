"""Waiting until a pool is well."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from prominence.cli.pool.bring_up import api_complaint


@pytest.mark.parametrize("variable", ["http_proxy", "ALL_PROXY"])
def test_the_pools_own_api_is_not_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    used: list[object] = []

    def send(_: object, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        used.append(dict(options["proxies"]))
        answer = requests.Response()
        answer.status_code = 204
        return answer

    monkeypatch.setenv(variable, "http://proxy.example:3128")
    monkeypatch.setattr(requests.Session, "send", send)
    assert api_complaint(8280) == ""
    assert used == [{}]
