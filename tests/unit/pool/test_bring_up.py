"""Bringing a pool up, as far as it needs no engine."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
import requests

from prominence.cli.pool.bring_up import api_complaint, readable_by_services


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


def test_services_can_read_what_a_user_with_a_strict_umask_makes(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with readable_by_services():
            (tmp_path / "config").mkdir()
        (tmp_path / "other").mkdir()
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"config": 0o755, "other": 0o700}
