"""Identities by tokens that were made here for scripts and services; each names its record in the shared store."""

from __future__ import annotations

import jwt
from pydantic import SecretStr

from prominence.core.errors import Unauthenticated
from prominence.core.keyvalue.port import KeyValue
from prominence.restapi import token_records
from prominence.restapi.adapters.local_tokens import AUDIENCE, checked, claims_of
from prominence.restapi.identity import Identity
from prominence.restapi.token_records import TokenRecord

ISSUER = "prominence-tokens"


class IssuedTokens:
    """What such a token is good for is said by its record alone, so nothing can be read out of an old one."""

    def __init__(self, key: SecretStr, store: KeyValue) -> None:
        self._key = checked(key)
        self._store = store

    def who(self, token: str) -> Identity:
        claims = claims_of(token, self._key, ISSUER, "jti")
        record = token_records.find(self._store, str(claims["sub"]), str(claims["jti"]))
        if record is None:
            raise Unauthenticated("The token has been revoked; get a new one.")
        return Identity(
            record.user,
            record.groups,
            frozenset(record.scopes),
            token=record.id,
            login=False,
            expires=float(record.expires),
            email=record.email,
        )

    def sign(self, record: TokenRecord) -> str:
        """The token of this record. Old clients want a JWT that says until when it is good."""
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": record.user, "jti": record.id, "exp": record.expires}
        return jwt.encode({**claims, "iat": record.made_at}, self._key.get_secret_value(), algorithm="HS256")
