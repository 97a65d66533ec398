"""`prominence login, register, logout`: become known to the service through its identity provider."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import click

from prominence.cli import configuration
from prominence.cli.client import Client
from prominence.cli.errors import ClientError, NotConfigured, TokenRefused
from prominence.cli.identity_provider import Client as OidcClient
from prominence.cli.identity_provider import IdentityProvider, LoginRefused
from prominence.cli.render.text import clean
from prominence.cli.saved_login import API, PROVIDER, Files, with_end
from prominence.cli.surroundings import Surroundings

OIDC_URL = "PROMINENCE_OIDC_URL"

oidc_url = click.option("--oidc-url", help=f"The identity provider [${OIDC_URL}].")


@click.command()
@oidc_url
@click.pass_obj
def login(surroundings: Surroundings, /, oidc_url: str | None) -> None:
    """Log in with a browser, on this machine or any other.

    The login is kept in ~/.prominence and renewed when it is used, for as long as the identity provider lets it.
    """
    files = Files(surroundings.home)
    address = _provider_address(surroundings, oidc_url)
    answer = _log_in(surroundings, address, files)
    service = surroundings.environment.get(configuration.URL)
    about = {PROVIDER: address, **({API: service.rstrip("/")} if service else {})}
    with files.alone():
        files.write(files.token, with_end({**answer, **about}, surroundings.today()))
    click.echo(f"Logged in{f' to {clean(service)}' if service else ''}.", err=True)


@click.command()
@oidc_url
@click.pass_obj
def register(surroundings: Surroundings, /, oidc_url: str | None) -> None:
    """Make this command known to the identity provider.

    `prominence login` does so by itself where it is needed.
    """
    address = _provider_address(surroundings, oidc_url)
    if surroundings.oidc_client(address) is not None:
        click.echo(f"Known to {clean(address)} already.", err=True)
        return
    _register(surroundings.identity_provider(address), address, Files(surroundings.home))


@click.command()
@click.pass_obj
def logout(surroundings: Surroundings, /) -> None:
    """End the login. It ends here, at the service, and at the identity provider."""
    files = Files(surroundings.home)
    found = files.read_token()
    if found is None:
        raise NotConfigured("You are not logged in: there is no login in ~/.prominence.")
    address, service = found.get(PROVIDER), found.get(API) or surroundings.environment.get(configuration.URL)
    client = surroundings.oidc_client(address) if isinstance(address, str) else None
    if isinstance(service, str):
        _try("the service", partial(_end_at_service, service, str(found["access_token"]), surroundings))
    if isinstance(address, str) and client is not None:
        provider = surroundings.identity_provider(address)
        for token in filter(None, (found.get("refresh_token"), found["access_token"])):
            _try("the identity provider", partial(provider.revoke, client, str(token)))
    with files.alone():
        files.token.unlink(missing_ok=True)
    click.echo("Logged out.", err=True)


def _log_in(surroundings: Surroundings, address: str, files: Files) -> dict[str, Any]:
    provider, client = surroundings.identity_provider(address), surroundings.oidc_client(address)
    if client is not None:
        try:
            return provider.log_in(client, _show, surroundings.clock)
        except LoginRefused as error:
            # Providers forget whom nobody has used for long; whom the environment names we cannot make known again.
            if error.word != "invalid_client" or client != files.read_client(address):
                raise
    return provider.log_in(_register(provider, address, files), _show, surroundings.clock)


def _end_at_service(service: str, token: str, surroundings: Surroundings) -> None:
    with suppress(TokenRefused), Client(service, token, surroundings.session) as client:
        client.logout()


def _try(where: str, act: Callable[[], object]) -> None:
    """What cannot be reached now forgets the login when it ends."""
    try:
        act()
    except ClientError as error:
        click.echo(f"prominence: At {where} the login has not ended: {clean(str(error))}", err=True)


def _provider_address(surroundings: Surroundings, said: str | None) -> str:
    """The one that is named, or else the one of the login there is."""
    address = said or surroundings.environment.get(OIDC_URL) or _provider_of(Files(surroundings.home))
    if not isinstance(address, str):
        raise NotConfigured(f"Say which identity provider to log in at: set {OIDC_URL}, or use --oidc-url.")
    return address.rstrip("/")


def _provider_of(files: Files) -> object:
    """Of the login; None also where what is kept is no login, which logging in replaces."""
    try:
        return (files.read_token() or {}).get(PROVIDER)
    except NotConfigured:
        return None


def _register(provider: IdentityProvider, address: str, files: Files) -> OidcClient:
    answer = provider.register()
    files.write(files.client, {**answer, PROVIDER: address})
    click.echo(f"This command is now known to {clean(address)}.", err=True)
    return OidcClient(answer["client_id"], answer["client_secret"])


def _show(address: str, code: str) -> None:
    click.echo(f"Open {clean(address)} in a browser and enter the code {clean(code)}.", err=True)
