"""The client's side of an OpenID Connect provider: register, log in with a code in any browser, refresh, revoke.

RFC 8628 (device codes), RFC 7591 (registration), RFC 6749 (refresh), RFC 7009 (revocation).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from prominence.cli.errors import ClientError, NotConfigured, Unreachable
from prominence.cli.follow import Clock

SCOPE = "openid profile email"
TO_COME_BACK = "offline_access"
"""The scope for a refresh token."""

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"

_TIMEOUT_S = 30
_INTERVAL_S, _SLOWER_S = 5, 5
_LONGEST_WAIT_S = 1800

_NOT_NOW = (408, 429)
"""It was too busy, or is asked too much at once."""

# Of providers that do not describe themselves; so the published client asks them.
_USUAL = {
    "device_authorization_endpoint": "/devicecode",
    "token_endpoint": "/token",
    "registration_endpoint": "/register",
}


@dataclass(frozen=True)
class Client:
    """A program that a provider knows."""

    client_id: str
    secret: str = field(repr=False)


class LoginRefused(ClientError):
    """The provider said no. `word` is its word for why."""

    exit_code = NotConfigured.exit_code

    def __init__(self, word: str, sentence: str) -> None:
        super().__init__(sentence)
        self.word = word


class IdentityProvider:
    """One provider, by its address."""

    def __init__(self, url: str, session: requests.Session) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise NotConfigured("PROMINENCE_OIDC_URL is not a web address, such as https://login.example.org.")
        self._url = url.rstrip("/")
        self._session = session
        self._known: Mapping[str, Any] | None = None

    def register(self) -> dict[str, Any]:
        """Become known to it as a program; what it answers, with `client_id` and `client_secret`."""
        wanted = {
            "redirect_uris": [],
            "client_name": f"prominence-user-{uuid.uuid4()}",
            "token_endpoint_auth_method": "client_secret_basic",
            "scope": f"{SCOPE} {TO_COME_BACK}",
            "grant_types": [DEVICE_CODE, "refresh_token"],
            "response_types": [],
        }
        answer = self._send("POST", self._endpoint("registration_endpoint"), json=wanted)
        found = _document(answer)
        if answer.status_code != 201 or not all(
            isinstance(found.get(key), str) for key in ("client_id", "client_secret")
        ):
            raise self._refusal(answer, "does not register this command")
        return found

    def log_in(self, client: Client, show: Callable[[str, str], object], clock: Clock) -> dict[str, Any]:
        """Wait until somebody has typed the code into the page that `show` is told; the provider's tokens."""
        try:
            device = self._device_code(client, f"{SCOPE} {TO_COME_BACK}")
        except LoginRefused as error:
            if error.word != "invalid_scope":
                raise
            device = self._device_code(client, SCOPE)
        show(device["verification_uri"], device["user_code"])
        return self._poll(client, device, clock)

    def refresh(self, client: Client, refresh_token: str) -> dict[str, Any]:
        """New tokens for old. Raises LoginRefused when the login has ended."""
        return self._tokens(client, grant_type="refresh_token", refresh_token=refresh_token)

    def revoke(self, client: Client, token: str) -> None:
        """Make a token good for nothing, where the provider can do that. Raises LoginRefused where it does not."""
        endpoint = self._described().get("revocation_endpoint")
        if isinstance(endpoint, str):
            answer = self._send("POST", endpoint, data={"token": token}, auth=_basic(client))
            # Some end refresh tokens alone, and with these the login.
            if not answer.ok and _document(answer).get("error") != "unsupported_token_type":
                raise self._refusal(answer, "does not end the login")

    def _device_code(self, client: Client, scope: str) -> dict[str, Any]:
        endpoint = self._endpoint("device_authorization_endpoint")
        form = {"scope": scope, "client_id": client.client_id}
        answer = self._send("POST", endpoint, data=form, auth=_basic(client))
        found = _document(answer)
        texts = ("device_code", "user_code", "verification_uri")
        if answer.status_code != 200 or not all(isinstance(found.get(key), str) for key in texts):
            raise self._refusal(answer, "gives out no code for a login")
        return found

    def _poll(self, client: Client, device: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
        interval = _seconds(device.get("interval"), _INTERVAL_S)
        until = clock.now() + min(_seconds(device.get("expires_in"), _LONGEST_WAIT_S), _LONGEST_WAIT_S)
        while clock.now() < until:
            clock.sleep(interval)
            try:
                return self._tokens(client, grant_type=DEVICE_CODE, device_code=device["device_code"])
            except LoginRefused as error:
                if error.word == "slow_down":
                    interval += _SLOWER_S
                elif error.word != "authorization_pending":
                    raise
            except Unreachable:
                interval += _SLOWER_S  # as RFC 8628 asks of clients whose connection breaks
        raise LoginRefused("expired_token", "Nobody typed the code in while it was good; try again.")

    def _tokens(self, client: Client, **form: str) -> dict[str, Any]:
        answer = self._send("POST", self._endpoint("token_endpoint"), data=form, auth=_basic(client))
        found = _document(answer)
        if answer.status_code != 200 or not isinstance(found.get("access_token"), str):
            raise self._refusal(answer, "gives out no token")
        return found

    def _endpoint(self, name: str) -> str:
        found = self._described().get(name)
        if isinstance(found, str):
            return found
        if name in _USUAL and not self._described():
            return self._url + _USUAL[name]
        raise ClientError(f"The identity provider {self._url} cannot do this: it has no {name}.")

    def _described(self) -> Mapping[str, Any]:
        """Its discovery document; {} of one that has none."""
        if self._known is None:
            self._known = _document(self._send("GET", f"{self._url}/.well-known/openid-configuration"))
        return self._known

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        try:
            answer = self._session.request(method, url, timeout=_TIMEOUT_S, allow_redirects=False, **options)
        except requests.RequestException as error:
            raise Unreachable(f"The identity provider {self._url} does not answer: {type(error).__name__}.") from error
        if answer.status_code >= 500 or answer.status_code in _NOT_NOW:
            raise Unreachable(f"The identity provider {self._url} cannot work at the moment.")
        return answer

    def _refusal(self, answer: requests.Response, what: str) -> LoginRefused:
        said = _document(answer)
        word, told = said.get("error"), said.get("error_description")
        why = next((text for text in (told, word) if isinstance(text, str) and text), f"HTTP {answer.status_code}")
        return LoginRefused(str(word), f"The identity provider {self._url} {what}: {why.rstrip('.')}.")


def _basic(client: Client) -> tuple[str, str]:
    """RFC 6749, 2.3.1: both are encoded as in a form."""
    return quote(client.client_id, safe=""), quote(client.secret, safe="")


def _document(answer: requests.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else otherwise
