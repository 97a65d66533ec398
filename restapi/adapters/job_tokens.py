"""JobTokens as JWTs, signed with a key of the API's own that nothing else is signed with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import jwt

from prominence.core.errors import Unauthenticated
from prominence.restapi.ports import JOB_SCOPES

ISSUER = "prominence"
AUDIENCE = "prominence-job"

LIFETIME = timedelta(days=366)
"""Longer than a job may wait and run. What ends a token's use is that its job ends."""


class SignedJobTokens:
    """secret: see `signing.key`."""

    def __init__(self, secret: bytes, now: Callable[[], datetime]) -> None:
        self._secret, self._now = secret, now

    def mint(self, uid: str, user: str) -> str:
        now = self._now()
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user,
            "job": uid,
            "scope": " ".join(JOB_SCOPES),
            "iat": int(now.timestamp()),
            "exp": int((now + LIFETIME).timestamp()),
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def whose(self, token: str, scope: str) -> str:
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={
                    "require": ["exp", "sub", "aud", "iss", "job"],
                    "verify_exp": False,  # below, by our own clock
                    "verify_iat": False,
                },
            )
            good = self._now().timestamp() < float(claims["exp"]) and scope in str(claims.get("scope")).split()
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise Unauthenticated("The token is not that of a job.") from error
        if not good:
            raise Unauthenticated("The job's token is no longer good, or not for this.")
        return str(claims["job"])
