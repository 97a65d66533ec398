"""Signed permissions: what may be done with one object until when, in the query of an address. Pure.

Who has the address has the permission, and can neither change nor extend it. Keys are made for one purpose each from
the API's own secret, so that nothing signed for one purpose is good for another.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from prominence.core.errors import Forbidden
from prominence.restapi.objects import Terms

Act = Literal["get", "put"]

OF_ADDRESSES = "addresses of objects"
OF_JOBS = "tokens of jobs"
OF_WEBHOOKS = "secrets of webhooks"

LARGEST = 10**18 - 1
"""Number that an address has room for: more bytes than any store has."""
_NUMBER = re.compile(r"[0-9]{1,18}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Permission:
    """To get, or to put, this object until this moment (a Unix epoch). The rest is as in `objects.Terms`."""

    act: Act
    name: str
    until: int
    largest: int | None = None
    size: int | None = None
    sha256: str | None = None
    together: int | None = None

    @classmethod
    def to_put(cls, name: str, until: int, terms: Terms) -> Permission:
        """What these terms permit."""
        together = None if terms.together is None else min(terms.together, LARGEST)
        return cls("put", name, until, terms.largest, terms.size, terms.sha256, together)


def key(secret: str, purpose: str) -> bytes:
    """A key for one purpose."""
    return hmac.digest(secret.encode(), f"prominence {purpose}".encode(), hashlib.sha256)


def query(permission: Permission, secret: bytes) -> dict[str, str]:
    """The permission as the query of an address."""
    said = {
        "until": permission.until,
        "largest": permission.largest,
        "size": permission.size,
        "sha256": permission.sha256,
        "together": permission.together,
    }
    return {
        **{name: str(value) for name, value in said.items() if value is not None},
        "signature": _signature(permission, secret),
    }


def permission(act: Act, name: str, given: Mapping[str, str], secret: bytes, now: float) -> Permission:
    """What the query of an address permits. Raises Forbidden for one that is not ours, or no longer good."""
    found = Permission(
        act,
        name,
        _number(given, "until") or 0,
        _number(given, "largest"),
        _number(given, "size"),
        _sha256(given),
        _number(given, "together"),
    )
    shown = given.get("signature", "").encode(errors="replace")
    if not hmac.compare_digest(_signature(found, secret).encode(), shown):
        raise Forbidden("The address is not one that this service signed.")
    if now >= found.until:
        raise Forbidden("The address has expired; ask for a new one.")
    return found


def _signature(permission: Permission, secret: bytes) -> str:
    text = json.dumps(
        [
            permission.act,
            permission.name,
            permission.until,
            permission.largest,
            permission.size,
            permission.sha256,
            *([] if permission.together is None else [permission.together]),  # of addresses from before there was one
        ]
    )
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def _number(given: Mapping[str, str], name: str) -> int | None:
    """A number that is not one, or is written in another way than ours, was not signed by us."""
    text = given.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or str(int(text)) != text:
        raise Forbidden("The address is not one that this service signed.")
    return int(text)


def _sha256(given: Mapping[str, str]) -> str | None:
    text = given.get("sha256")
    if text is not None and not _SHA256.fullmatch(text):
        raise Forbidden("The address is not one that this service signed.")
    return text
