"""Bringing a pool up, as far as it needs no engine."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
import requests
from builders_pool import FakeEngine

from prominence.cli.pool import bring_up
from prominence.cli.pool.bring_up import api_complaint, readable_by_services
from prominence.cli.pool.containers import IMC
from prominence.cli.pool.errors import PoolError
from prominence.cli.pool.layout import POOL_LABEL, ROLE_LABEL, Pool, PoolSettings


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


def test_a_container_that_ends_again_and_again_is_told_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, engine = Pool.named("demo", {"XDG_STATE_HOME": "/srv/state"}), FakeEngine()
    imc = engine.containers.create("any", name="imc", labels={POOL_LABEL: pool.name, ROLE_LABEL: IMC})
    imc.status, imc.last_words = "restarting", b"the token cannot be read\n"

    def pause(_: float) -> None:
        imc.attrs["RestartCount"] += 1

    monkeypatch.setattr(bring_up, "api_complaint", lambda _: "the API does not answer yet")
    monkeypatch.setattr(bring_up.time, "sleep", pause)
    with pytest.raises(PoolError, match="imc ended by itself.*\nthe token cannot be read"):
        bring_up.wait_until_well(engine, pool, PoolSettings(port=8280))  # type: ignore[arg-type]


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


def test_no_port_is_chosen_that_another_pool_has_settled_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bring_up, "_is_free", lambda port: True)
    ports = []
    for name in ("one", "two", "three"):
        pool = Pool.named(name, {"XDG_STATE_HOME": str(tmp_path)})
        pool.state.mkdir(parents=True)
        ports.append(bring_up._settle(FakeEngine(), pool, bring_up.Wishes()).port)  # type: ignore[arg-type]
    assert len(set(ports)) == 3

    broken = Pool.named("broken", {"XDG_STATE_HOME": str(tmp_path)})
    broken.state.mkdir()
    for content in ("", "[]", '{"port": null}', '{"port": []}', "{"):
        broken.settings_file.write_text(content)
        other = Pool.named(f"beside-{len(ports)}", {"XDG_STATE_HOME": str(tmp_path)})
        other.state.mkdir()
        ports.append(bring_up._settle(FakeEngine(), other, bring_up.Wishes()).port)  # type: ignore[arg-type]
    assert len(set(ports)) == len(ports)


@pytest.mark.parametrize("wishes", [bring_up.Wishes(shares={"vo": 2.0}), bring_up.Wishes(port=8299)])
def test_of_a_pool_that_is_refused_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wishes: bring_up.Wishes
) -> None:
    monkeypatch.setattr(bring_up, "own_socket", lambda _: tmp_path / "docker.sock")
    monkeypatch.setattr(bring_up, "_is_free", lambda port: port != 8299)
    pool = Pool.named("new", {"XDG_STATE_HOME": str(tmp_path / "state")})
    with pytest.raises(PoolError, match="--share: each is of a group|Port 8299 on 127.0.0.1 is taken"):
        bring_up.bring_up(FakeEngine(), pool, wishes, print)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
