"""Names and places of a pool."""

from __future__ import annotations

from pathlib import Path

import pytest

from prominence.cli.pool.errors import PoolError
from prominence.cli.pool.layout import Pool, PoolSettings
from prominence.core.errors import Rejected
from prominence.core.validation import parse


def test_state_lives_where_the_user_keeps_state() -> None:
    assert Pool.named("demo", {"XDG_STATE_HOME": "/srv/state"}).state == Path("/srv/state/prominence/demo")
    for environment in ({}, {"XDG_STATE_HOME": ""}, {"XDG_STATE_HOME": "state"}):
        assert Pool.named("demo", environment).state == Path.home() / ".local/state/prominence/demo"


@pytest.mark.parametrize("character", ["$", "%", ":", ",", "\\", "\n", "\x1b"])
def test_a_path_that_not_all_parts_would_take_as_it_is_is_refused(character: str) -> None:
    with pytest.raises(PoolError, match="XDG_STATE_HOME") as caught:
        Pool.named("demo", {"XDG_STATE_HOME": f"/srv/a{character}b"})
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("path", ["/srv/a b", "/srv/é", "/srv/a@b+c=d~e;f(g)&h'i\"j#k"])
def test_a_path_that_is_merely_odd_is_taken(path: str) -> None:
    assert Pool.named("demo", {"XDG_STATE_HOME": path}).state == Path(path) / "prominence" / "demo"


def test_two_pools_share_no_name() -> None:
    one, other = Pool.named("one", {}), Pool.named("other", {})
    for name in ("network", "control_network", "task_network", "state", "environment_file"):
        assert getattr(one, name) != getattr(other, name)
    assert one.container("imc") != other.container("imc")


@pytest.mark.parametrize("wrong", [{"port": 0}, {"port": 1, "idle_time": 0}, {"port": 1, "colour": "red"}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(Rejected):
        parse(PoolSettings, wrong)
