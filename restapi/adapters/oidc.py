"""Identities by tokens of an OpenID Connect provider.

A JWT is checked here, by the provider's published keys. A token that is no JWT means something to the provider alone;
its userinfo endpoint is asked. Keys and answers are remembered for a time and in bounded numbers, so that the provider
is asked rarely, and that what was good a moment ago still is while it is away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt
import requests

from prominence.core import logs
from prominence.core.errors import Forbidden, Unauthenticated, Unavailable
from prominence.restapi import token_records
from prominence.restapi.adapters.local_tokens import said_issuer
from prominence.restapi.adapters.names import names, user_name
from prominence.restapi.bucket import Bucket
from prominence.restapi.identity import Identity
from prominence.restapi.identity_settings import OidcSettings
from prominence.restapi.mail.addresses import verified
from prominence.restapi.ports import NotOurs
from prominence.restapi.recent import Recent

log = logs.get(__name__)

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Those with a public key. With any other the published key would be the secret."""

RETRY_AFTER_S = 10

KEYS_S = 3600
"""For so long the provider's keys are believed to be current ..."""
KEYS_STALE_S = 86_400
"""... and for so long they are used when it does not answer."""
NEW_KEY_S = 30
"""A token that names a key we do not know makes us ask for the keys again, but not more often than this."""

SILENT_S = 5
"""When it did not answer, it is not asked again for so long."""

NOT_GOOD_S = 60
MOST_REMEMBERED = 10_000
ASKED_PER_S = 20
"""How often the provider may be asked about tokens that we see for the first time."""

_SILENT = "The identity provider does not answer at the moment."


class OidcTokens:
    """Logins at one provider. It is asked nothing before the first of its tokens comes."""

    def __init__(self, provider: OidcSettings, now: Callable[[], float] = time.monotonic) -> None:
        self._provider = provider
        self._web = _Web(provider, now)
        self._keys = _Keys(self._web, now)
        self._answers: Recent[dict[str, Any] | None] = Recent(provider.remember_s, MOST_REMEMBERED, now)
        self._refused: Recent[bool] = Recent(NOT_GOOD_S, MOST_REMEMBERED, now)
        self._asked = Bucket(ASKED_PER_S, 5 * ASKED_PER_S, now)

    def who(self, token: str) -> Identity:
        issuer = said_issuer(token)
        if issuer is None and self._provider.userinfo != "never":
            return self._identity(self._userinfo(token), None)
        if issuer != self._provider.issuer:
            raise NotOurs("The token is not one of this service's identity provider.")
        claims = self._checked(token)
        ends = float(claims["exp"])
        if self._provider.userinfo == "always":
            told = self._userinfo(token)
            if told.get("sub") != claims["sub"]:
                raise Unauthenticated("The identity provider says that the token is somebody else's.")
            claims = {**told, **claims}
        return self._identity(claims, ends)

    def _checked(self, token: str) -> dict[str, Any]:
        """What a JWT says, if all of it is right."""
        try:
            key = self._keys.key(jwt.get_unverified_header(token).get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=list(self._provider.audiences),
                issuer=self._provider.issuer,
                leeway=self._provider.leeway_s,
                options={"require": ["exp", "sub", "aud", "iss"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("The token has expired; log in again.") from error
        except jwt.InvalidAudienceError as error:
            raise Unauthenticated("The token is for another service.") from error
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise Unauthenticated("The token is not one that the identity provider gave out.") from error
        return claims

    def _userinfo(self, token: str) -> dict[str, Any]:
        """What the provider says of the token's user."""
        digest = token_records.digest(token)
        if self._refused.get(digest):
            raise Unauthenticated("The identity provider does not know the token, or it has expired.")
        known = self._answers.get(digest)
        if known is not None:
            return known
        if not self._asked.take():
            raise Unavailable("Too many unknown tokens have come.", 1)
        told = self._web.userinfo(token)
        if told is None:
            self._refused.put(digest, True)
            raise Unauthenticated("The identity provider does not know the token, or it has expired.")
        self._answers.put(digest, told)
        return told

    def _identity(self, claims: Mapping[str, Any], ends: float | None) -> Identity:
        provider = self._provider
        user = user_name(claims.get(provider.username_claim))
        groups = names(claims.get(provider.groups_claim, []))
        if provider.required_entitlements:
            member_of = _memberships(claims.get(provider.entitlements_claim, []), provider.required_entitlements)
            if not member_of:
                raise Forbidden(
                    f"This service is for members of {' or '.join(provider.required_entitlements)}; you are in none."
                )
            groups = tuple(dict.fromkeys((*groups, *member_of)))
        return Identity(user, groups, expires=ends, email=verified(claims))


def _memberships(claim: object, required: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The virtual organisations whose entitlements are all there."""
    held = {item for item in (claim if isinstance(claim, list) else [claim]) if isinstance(item, str)}
    return [name for name, entitlements in required.items() if held.issuperset(entitlements)]


class _Keys:
    """The provider's keys, by their ids."""

    def __init__(self, web: _Web, now: Callable[[], float]) -> None:
        self._web, self._now = web, now
        self._lock = threading.Lock()
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_at = self._asked_at = -float("inf")

    def key(self, key_id: object) -> jwt.PyJWK:
        """The key of this id; without an id the only one there is. Raises Unauthenticated, Unavailable."""
        with self._lock:
            self._refresh(key_id)
            found = self._keys.get(key_id if isinstance(key_id, str) else None)
            if found is None and key_id is None and len(self._keys) == 1:
                [found] = self._keys.values()
        if found is None:
            raise Unauthenticated("The token is signed by a key that the identity provider does not have.")
        return found

    def _refresh(self, key_id: object) -> None:
        now = self._now()
        known = key_id in self._keys if isinstance(key_id, str) else bool(self._keys)
        if known and now - self._fetched_at < KEYS_S:
            return
        usable = now - self._fetched_at < KEYS_STALE_S
        if usable and now - self._asked_at < NEW_KEY_S:
            return
        self._asked_at = now
        try:
            self._keys = self._web.keys()
            self._fetched_at = now
        except Unavailable:
            if not (known and usable):
                raise
            log.warning("the identity provider does not answer; its keys are known from before")


class _Web:
    """The provider's endpoints, found by its discovery document."""

    def __init__(self, provider: OidcSettings, now: Callable[[], float]) -> None:
        self._provider, self._now = provider, now
        self._endpoints: dict[str, Any] = {}
        self._silent_until = -float("inf")

    def keys(self) -> dict[str | None, jwt.PyJWK]:
        """Its keys for signatures, by their ids."""
        document = self._ask(self._endpoint("jwks_uri"))
        found = document.get("keys")
        keys = {}
        for one in found if isinstance(found, list) else []:
            if isinstance(one, dict) and one.get("use", "sig") == "sig" and one.get("kty") in ("RSA", "EC", "OKP"):
                try:
                    keys[one.get("kid")] = jwt.PyJWK(one)
                except (jwt.PyJWTError, ValueError) as error:
                    log.warning("one of the identity provider's keys cannot be read", error=str(error))
        if not keys:
            raise Unavailable("The identity provider publishes no key that we could use.", RETRY_AFTER_S)
        return keys

    def userinfo(self, token: str) -> dict[str, Any] | None:
        """What it says of this token's user; None: the token is not good."""
        if not token.isascii() or not token.isprintable():
            return None
        return self._answer(self._endpoint("userinfo_endpoint"), {"Authorization": f"Bearer {token}"})

    def _endpoint(self, name: str) -> str:
        if name not in self._endpoints:
            issuer = self._provider.issuer
            document = self._ask(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if document.get("issuer") != issuer or not isinstance(document.get(name), str):
                log.error("the identity provider's discovery document is not as it should be", issuer=issuer)
                raise Unavailable("The identity provider does not describe itself as it should.", RETRY_AFTER_S)
            self._endpoints = document
        return str(self._endpoints[name])

    def _ask(self, url: str) -> dict[str, Any]:
        answer = self._answer(url, {})
        if answer is None:
            raise self._silent(url, "it refuses to tell")
        return answer

    def _answer(self, url: str, headers: Mapping[str, str]) -> dict[str, Any] | None:
        """The JSON that it answers with; None when it says that the request, and so the token, is not good."""
        if self._now() < self._silent_until:  # else every request would wait for what does not come
            raise Unavailable(_SILENT, RETRY_AFTER_S)
        try:
            response = requests.get(
                url,
                headers={"Accept": "application/json", **headers},
                timeout=self._provider.timeout_s,
                allow_redirects=False,
                verify=str(self._provider.ca_file) if self._provider.ca_file else True,
                auth=_no_auth,
            )
            if response.status_code in (400, 401, 403):
                return None
            answer = response.json() if response.status_code == 200 else None
        except (requests.RequestException, ValueError, RecursionError) as error:
            raise self._silent(url, type(error).__name__) from error
        if not isinstance(answer, dict):
            raise self._silent(url, f"HTTP {response.status_code}")
        return answer

    def _silent(self, url: str, why: str) -> Unavailable:
        self._silent_until = self._now() + SILENT_S
        log.warning("the identity provider does not answer", url=url, why=why)
        return Unavailable(_SILENT, RETRY_AFTER_S)


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """So that nothing is taken from ~/.netrc."""
    return request
