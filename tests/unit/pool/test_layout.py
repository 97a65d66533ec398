"""Names and places of a pool."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from prominence.cli.pool.configuration import write_configuration
from prominence.cli.pool.errors import PoolError
from prominence.cli.pool.layout import Pool, PoolSettings
from prominence.cli.pool.secrets import local_user
from prominence.core.errors import Rejected
from prominence.core.settings import load
from prominence.core.validation import parse
from prominence.restapi.settings import RestApiSettings
from prominence.restapi.webhook_settings import WebhookSettings
from prominence.scaler.settings import ScalerSettings


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


_MAIL = {"mail_server": "mail.example.org:2525", "mail_to": "alice@example.org"}


def test_its_user_is_told_by_the_mail_server_that_is_named(tmp_path: Path) -> None:
    pool = Pool("demo", tmp_path)
    for settings, mail in (
        ({}, None),
        (_MAIL, ("mail.example.org", 2525)),
        ({**_MAIL, "mail_server": "mail"}, ("mail", 25)),
    ):
        write_configuration(pool, PoolSettings(port=8280, **settings), defaultdict(str), "")
        read = load(RestApiSettings, "restapi", tmp_path / "config" / "restapi.toml", {}).mail
        assert (read and (read.host, read.port_in_use)) == mail
        assert read is None or (read.sender, read.addresses) == (
            "alice@example.org",
            {local_user(): "alice@example.org"},
        )
        # By this line the access point knows whether there is something to run.
        assert ("[mail]" in (tmp_path / "config" / "restapi.toml").read_text().splitlines()) is (mail is not None)


def test_workers_are_kept_for_as_long_as_its_user_says(tmp_path: Path) -> None:
    settings = PoolSettings(port=8280, idle_time=1234)
    write_configuration(Pool("mine", tmp_path), settings, defaultdict(str), "")
    policy = load(ScalerSettings, "scaler", tmp_path / "config" / "scaler.toml", {}).policy
    assert (policy.idle_time_s, policy.idle_boots) == (1234, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 0},
        {"port": 1, "idle_time": 0},
        {"port": 1, "colour": "red"},
        {"port": 1, "mail_server": "mail"},
        {"port": 1, "mail_to": "alice@example.org"},
        {"port": 1, **_MAIL, "mail_to": "alice"},
        {"port": 1, **_MAIL, "mail_server": "mail example"},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(Rejected):
        parse(PoolSettings, wrong)


def test_what_people_are_told_to_type_is_for_their_pool() -> None:
    assert Pool.named("default").command("up") == "prominence pool up"
    assert Pool.named("mine").command("logs imc") == "prominence pool logs imc --name mine"
    assert Pool.named("mine").not_running.endswith("prominence pool up --name mine")


_NETWORKS = st.one_of(
    st.ip_addresses().map(str),
    st.sampled_from(["10.0.0.0/8", "fd00::/8", "10.0.0.1/8", "1", "::", "10.0.0.0/33", "", " ", "public"]),
    st.text("0123456789abcdef.:/%, ", max_size=12),
)


@given(st.lists(_NETWORKS, min_size=1, max_size=3).map(",".join))
def test_where_webhooks_lead_is_refused_here_if_the_api_would_refuse_it(text: str) -> None:
    def refused(settings: Callable[[], object]) -> bool:
        try:
            settings()
        except ValidationError:
            return True
        return False

    here = refused(lambda: PoolSettings(port=8280, webhooks=text))
    assert here == (text != "public" and refused(lambda: WebhookSettings(allowed_networks=tuple(text.split(",")))))


@pytest.mark.parametrize("text", ["1", "10.0.0.1/8", "public,10.0.0.0/8", "", "10.0.0.0/8, 10.1.0.0/16"])
def test_what_is_no_network_is_told_by_what_it_should_be(text: str) -> None:
    with pytest.raises(Rejected, match="webhooks: must be public, or networks such as"):
        parse(PoolSettings, {"port": 8280, "webhooks": text})
