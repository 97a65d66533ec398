"""`prominence login` at a real identity provider, and what it is good for at the API."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import requests
from builders_restapi import an_api
from click.testing import CliRunner, Result
from oidc_provider import AUDIENCE, RealProvider
from werkzeug.serving import make_server

from prominence.cli.follow import Clock
from prominence.cli.main import command_line
from prominence.cli.saved_login import Files
from prominence.cli.surroundings import Surroundings
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.restapi.adapters.chain import TokenChain
from prominence.restapi.adapters.oidc import OidcTokens
from prominence.restapi.identity import Appointments
from prominence.restapi.identity_settings import OidcSettings
from prominence.restapi.operations import BASE_PATH


class Site:
    """A service with its identity provider, and somebody's home."""

    def __init__(self, provider: RealProvider, url: str, home: Path) -> None:
        self.provider, self.url, self.home = provider, url, home
        self.today = 0.0
        self.user = "alice"
        self.asked = 0

    def run(self, *words: str, **environment: str) -> Result:
        surroundings = Surroundings(
            environment={"PROMINENCE_URL": self.url, "PROMINENCE_OIDC_URL": self.provider.issuer, **environment},
            directory=self.home,
            home=self.home,
            user_id=0,
            clock=Clock(now=lambda: 0.0, sleep=self._sleep),
            today=lambda: self.today,
        )
        return CliRunner().invoke(command_line, list(words), obj=surroundings)

    def good(self, *words: str) -> str:
        result = self.run(*words)
        assert result.exit_code == 0, result.output
        return result.stdout

    def _sleep(self, _: float) -> None:
        """While the command waits for the second time its user is at the browser."""
        self.asked += 1
        if self.asked == 2:
            told = re.search(r"Open (\S+) in a browser and enter the code (\S+)\.", self.told[-1])
            assert told is not None
            self.provider.approve(told[1], told[2], self.user)

    told: list[str]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: RealProvider) -> Iterator[Site]:
    settings = OidcSettings(issuer=provider.issuer, audiences=(AUDIENCE,), userinfo="opaque")
    store = MemoryKeyValue()
    chain = TokenChain([OidcTokens(settings)], store, Appointments(), lambda: 0.0)
    server = make_server("127.0.0.1", 0, an_api(identities=chain, store=store).app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    site = Site(provider, f"http://127.0.0.1:{server.server_port}{BASE_PATH}", tmp_path)
    site.told = []
    echo = click.echo

    def listen(message: Any = None, **options: Any) -> None:
        site.told.append(str(message))
        echo(message, **options)

    monkeypatch.setattr(click, "echo", listen)
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["jwt", "opaque"])
def provider(request: pytest.FixtureRequest) -> Iterator[RealProvider]:
    one = RealProvider(request.param)
    one.start()
    yield one
    one.kill()


def test_a_login_with_a_code_lasts_until_its_user_logs_out(site: Site) -> None:
    site.good("login")
    assert site.asked == 2
    assert "alice" in site.good("whoami")

    files = Files(site.home)
    kept = files.read_token()
    assert kept is not None
    old = kept["access_token"]
    site.today = kept["prominence_expires_at"]  # the end of the token, not of the login
    site.good("kv", "set", "a", "1")
    renewed = files.read_token()
    assert renewed is not None
    assert renewed["access_token"] != old
    assert renewed["refresh_token"] != kept["refresh_token"]  # this provider takes each of them once
    assert site.good("kv", "get", "a") == "1\n"

    new = renewed["access_token"]
    assert ask(site, new) == 200
    site.good("logout")
    assert (ask(site, new), files.read_token()) == (401, None)
    with pytest.raises(requests.HTTPError):
        site.provider.post("/token", grant_type="refresh_token", refresh_token=renewed["refresh_token"])
    assert site.run("whoami").exit_code == 126


def test_what_the_command_is_known_by_is_kept_and_used_again(site: Site) -> None:
    site.good("register")
    known = json.loads(Files(site.home).client.read_text())
    assert known["client_id"] and known["client_secret"]
    site.good("login")
    assert json.loads(Files(site.home).client.read_text()) == known


def ask(site: Site, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{site.url}/whoami", headers=headers, timeout=10).status_code
