"""The login that is kept in ~/.prominence: the files of the published client, which reads them as well.

`token` is what the identity provider answered, with some words of ours: for which API, from which provider, until
when. `client` is as what this command is known to the provider. Both are for their owner's eyes only, and written
whole or not at all. A token that has nearly ended is traded for a new one when it is needed, by one process at a time.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prominence.cli.errors import NotConfigured, Unreachable
from prominence.cli.identity_provider import Client, IdentityProvider, LoginRefused
from prominence.cli.turns import one_at_a_time

API, PROVIDER, ENDS = "prominence_url", "prominence_oidc_url", "prominence_expires_at"
"""Our words in the files."""

EARLY_S = 60
"""A token is renewed so long before it ends."""

_AGAIN = "Log in again: `prominence login`."


@dataclass(frozen=True)
class Files:
    """Where they are."""

    home: Path

    @property
    def token(self) -> Path:
        """The login."""
        return self.home / ".prominence" / "token"

    @property
    def client(self) -> Path:
        """As what we are known to the provider."""
        return self.home / ".prominence" / "client"

    def read_token(self) -> dict[str, Any] | None:
        """The login; a text that is no JSON is a token alone. None: there is none."""
        text = _read(self.token)
        if text is None:
            return None
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = {"access_token": text.strip()}
        if not isinstance(found, dict) or not can_be_sent(found.get("access_token")):
            raise NotConfigured(f"{self.token} holds no token. {_AGAIN}")
        return found

    def read_client(self, provider: str) -> Client | None:
        """As what we are known to this provider; None: we are not."""
        text = _read(self.client)
        try:
            found = json.loads(text or "null")
        except (ValueError, RecursionError):
            return None
        match found:
            case {"client_id": str(client_id), "client_secret": str(secret)}:
                return Client(client_id, secret) if found.get(PROVIDER, provider) == provider else None
        return None

    def write(self, path: Path, document: Mapping[str, Any]) -> None:
        """Whole or not at all, for the owner's eyes only."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(document, file)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)  # there only where it went wrong: a secret that nobody would look for

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time: a refresh token may be good only once."""
        self.token.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with one_at_a_time(self.token.with_name(".lock")):
            yield


@dataclass(frozen=True)
class SavedLogin:
    """Called, gives a token that is good for a while yet. client: as what to speak to a provider. now: Unix epoch."""

    files: Files
    client: Callable[[str], Client | None] = field(repr=False)
    provider: Callable[[str], IdentityProvider]
    now: Callable[[], float]

    def __call__(self) -> str:
        login = self._login()
        if not self._ends_soon(login):
            return str(login["access_token"])
        with self.files.alone():
            login = self._login()  # another process may have renewed it meanwhile
            return str((self._renewed(login) if self._ends_soon(login) else login)["access_token"])

    def _login(self) -> dict[str, Any]:
        found = self.files.read_token()
        if found is None:
            raise NotConfigured(f"You are not logged in. {_AGAIN}")
        return found

    def _ends_soon(self, login: Mapping[str, Any]) -> bool:
        ends = end_of(login)
        return ends is not None and ends - EARLY_S <= self.now()

    def _renewed(self, login: Mapping[str, Any]) -> Mapping[str, Any]:
        ended = (end_of(login) or 0) <= self.now()
        address, refresh_token = login.get(PROVIDER), login.get("refresh_token")
        client = self.client(address) if isinstance(address, str) else None
        if client is None or not isinstance(refresh_token, str):
            if ended:
                raise NotConfigured(f"Your login has ended. {_AGAIN}")
            return login
        try:
            answer = self.provider(str(address)).refresh(client, refresh_token)
        except LoginRefused as error:
            raise NotConfigured(f"Your login has ended: {error} {_AGAIN}") from error
        except Unreachable:
            if ended:
                raise
            return login
        new = {"refresh_token": refresh_token, **answer, API: login.get(API), PROVIDER: address}
        self.files.write(self.files.token, with_end(new, self.now()))
        return new


def can_be_sent(token: object) -> bool:
    """Whether a request can have it: of other characters the libraries would complain, and print them."""
    return isinstance(token, str) and token != "" and token.isascii() and token.isprintable() and " " not in token


def with_end(answer: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What a provider answered, with the moment at which it ends."""
    lives = answer.get("expires_in")
    found = {key: value for key, value in answer.items() if key != ENDS}
    return {**found, ENDS: int(now) + lives} if isinstance(lives, int) else found


def end_of(login: Mapping[str, Any]) -> float | None:
    """When a token ends, as we noted or as it says itself; None: nobody knows."""
    noted = login.get(ENDS)
    if isinstance(noted, int | float):
        return noted
    try:
        claims = json.loads(base64.urlsafe_b64decode(str(login["access_token"]).split(".")[1] + "=="))
        return float(claims["exp"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise NotConfigured(f"{path} cannot be read: {why}.") from error
