"""Identities by tokens of this site's own: JWTs signed with one secret that the API shares with their maker."""

from __future__ import annotations

import re

import jwt
from pydantic import SecretStr

from prominence.core.errors import Rejected, Unauthenticated
from prominence.restapi.identity import Identity

ISSUER = "prominence-local"
AUDIENCE = "prominence"

SHORTEST_KEY = 32
"""Bytes: as many as the signature has."""

_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,256}")


class LocalTokens:
    """Tokens must be signed by HS256, say for whom, for us, from us and until when; groups are optional."""

    def __init__(self, key: SecretStr) -> None:
        if len(key.get_secret_value().encode()) < SHORTEST_KEY:
            raise Rejected.because(f"the key of tokens must have at least {SHORTEST_KEY} bytes")
        self._key = key

    def who(self, token: str) -> Identity:
        try:
            claims = jwt.decode(
                token,
                self._key.get_secret_value(),
                algorithms=["HS256"],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": ["exp", "sub", "aud", "iss"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("The token has expired; get a new one.") from error
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise Unauthenticated("The token is not one that this service gave out.") from error
        return Identity(user=_name(claims["sub"]), groups=_names(claims.get("groups", [])))


def _names(claim: object) -> tuple[str, ...]:
    if not isinstance(claim, list):
        raise Unauthenticated("The groups in the token are not a list of names.")
    return tuple(_name(item) for item in claim)


def _name(claim: object) -> str:
    if not isinstance(claim, str) or not _NAME.fullmatch(claim) or claim != claim.strip():
        raise Unauthenticated("A name in the token is not one that a user or a group can have.")
    return claim
