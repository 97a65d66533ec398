"""Names of users and groups in the claims of a token: texts that a user or a group can have, or no token at all."""

from __future__ import annotations

import re

from prominence.core.errors import Unauthenticated
from prominence.restapi.identity import SERVICE

_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,256}")


def user_name(claim: object) -> str:
    """The name of a person. Raises Unauthenticated."""
    found = name(claim)
    if found.startswith(SERVICE):
        raise Unauthenticated(f"A user's name cannot begin with {SERVICE!r}.")
    return found


def names(claim: object) -> tuple[str, ...]:
    """A list of names, each once. Raises Unauthenticated."""
    if not isinstance(claim, list):
        raise Unauthenticated("The groups in the token are not a list of names.")
    return tuple(dict.fromkeys(name(item) for item in claim))


def name(claim: object) -> str:
    """One name. Raises Unauthenticated."""
    if not isinstance(claim, str) or not _NAME.fullmatch(claim) or claim != claim.strip():
        raise Unauthenticated("A name in the token is not one that a user or a group can have.")
    return claim
