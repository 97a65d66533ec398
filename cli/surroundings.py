"""What the commands see of the world: environment, directories, time, HTTP. An argument, so that tests give another."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import requests

from prominence.cli import configuration
from prominence.cli.client import Client
from prominence.cli.follow import Clock
from prominence.cli.identity_provider import Client as OidcClient
from prominence.cli.identity_provider import IdentityProvider
from prominence.cli.render.text import clean
from prominence.cli.saved_login import Files, SavedLogin
from prominence.cli.transport import web


@dataclass(frozen=True)
class Surroundings:
    """Where a command runs. session: None for a real one. today: the time of day, as a Unix epoch."""

    environment: Mapping[str, str]
    directory: Path
    home: Path
    user_id: int
    clock: Clock
    today: Callable[[], float]
    session: requests.Session | None = None

    def client(self) -> Client:
        """A client of the service that is configured here. Raises NotConfigured."""
        service = configuration.find(
            self.environment, self.directory, self.home, self.user_id, _warn, self.saved_login()
        )
        return Client(service.url, service.token, self.session)

    def web(self, url: str) -> requests.Session:
        """For an address that says all by itself: nothing of ours goes with a request."""
        return web(url, self.session)

    def saved_login(self) -> SavedLogin:
        """The login that is kept here, if there is one."""
        return SavedLogin(Files(self.home), self.oidc_client, self.identity_provider, self.today)

    def oidc_client(self, provider: str) -> OidcClient | None:
        """As what we are known to a provider; the environment decides before the file that `login` writes."""
        client_id, secret = (self.environment.get(f"PROMINENCE_OIDC_CLIENT_{what}") for what in ("ID", "SECRET"))
        return OidcClient(client_id, secret) if client_id and secret else Files(self.home).read_client(provider)

    def identity_provider(self, address: str) -> IdentityProvider:
        """The provider at this address."""
        return IdentityProvider(address, self.session or requests.Session())


def connect() -> Client:
    """A client of the service that the command would use here, with its token. Raises NotConfigured."""
    return real().client()


def real() -> Surroundings:
    """This process's."""
    return Surroundings(
        environment=os.environ,
        directory=Path.cwd(),
        home=Path(os.environ.get("HOME") or "/"),
        user_id=os.geteuid(),
        clock=Clock(now=time.monotonic, sleep=time.sleep),
        today=time.time,
    )


def _warn(sentence: str) -> None:
    click.echo(f"prominence: {clean(sentence)}", err=True)
