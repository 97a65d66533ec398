"""Identities by tokens of this site's own: JWTs signed with one secret that the API shares with their maker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import jwt
from pydantic import SecretStr

from prominence.core.errors import Rejected, Unauthenticated
from prominence.restapi.adapters.names import names, user_name
from prominence.restapi.identity import Identity
from prominence.restapi.ports import NotOurs

ISSUER = "prominence-local"
AUDIENCE = "prominence"

SHORTEST_KEY = 32
"""Bytes: as many as the signature has."""

LAST_MOMENT = 253_402_300_799
"""The last second of the year 9999: a later end is nobody's intention."""


class LocalTokens:
    """Logins. They must be signed by HS256, say for whom, for us, from us and until when; groups are optional."""

    def __init__(self, key: SecretStr) -> None:
        self._key = checked(key)

    def who(self, token: str) -> Identity:
        claims = claims_of(token, self._key, ISSUER)
        user, groups = user_name(claims["sub"]), names(claims.get("groups", []))
        return Identity(user, groups, expires=float(claims["exp"]))

    def issue(self, user: str, groups: Sequence[str], now: datetime, lifetime: timedelta) -> str:
        """A login that `who` knows again. Raises Rejected for names that nobody can have."""
        claims: dict[str, Any]
        try:
            claims = {"sub": user_name(user), "groups": list(names(list(groups)))}
        except Unauthenticated as error:
            raise Rejected.because(str(error)) from error
        issued = int(now.timestamp())
        until = issued + int(lifetime.total_seconds())
        claims |= {"iss": ISSUER, "aud": AUDIENCE, "iat": issued, "exp": until}
        return jwt.encode(claims, self._key.get_secret_value(), algorithm="HS256")


def checked(key: SecretStr) -> SecretStr:
    """A key that tokens can be signed with. Raises Rejected."""
    if len(key.get_secret_value().encode()) < SHORTEST_KEY:
        raise Rejected.because(f"the key of tokens must have at least {SHORTEST_KEY} bytes")
    return key


def claims_of(token: str, key: SecretStr, issuer: str, *more: str) -> dict[str, Any]:
    """What a token of this issuer, signed with our key, says; it says `more`, too. Raises Unauthenticated, NotOurs."""
    if said_issuer(token) != issuer:
        raise NotOurs("The token is not one that this service gave out.")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.get_secret_value(),
            algorithms=["HS256"],
            audience=AUDIENCE,
            issuer=issuer,
            options={"require": ["exp", "sub", "aud", "iss", *more]},
        )
    except jwt.ExpiredSignatureError as error:
        raise Unauthenticated("The token has expired; get a new one.") from error
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise Unauthenticated("The token is not one that this service gave out.") from error
    if int(claims["exp"]) > LAST_MOMENT:
        raise Unauthenticated("The end of the token is no moment that a calendar has.")
    return claims


def said_issuer(token: str) -> str | None:
    """Who made the token, as it says itself; nothing follows from it but who is asked. None for what is no JWT."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None
    issuer = claims.get("iss")
    return issuer if isinstance(issuer, str) else ""
