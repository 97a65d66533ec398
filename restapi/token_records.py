"""What the shared store knows of tokens.

A token that was made here is a signed text that names its record: whose it is, what it is good for, until when. It is
good for as long as its record is there; the text itself is kept nowhere. A login was made elsewhere and has no record:
when its user logs out, its digest is written down for as long as it might be used. Both go by themselves with time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import quote

from pydantic import Field

from prominence.core.keyvalue.port import ABSENT, KeyValue
from prominence.core.validation import Document
from prominence.restapi.identity import Scope

_ISSUED = "/prominence/tokens/issued"
_ENDED = "/prominence/tokens/ended"


class TokenRecord(Document):
    """A token that was made here. made_at, expires: Unix epochs. made_by: who asked for it; email: whom to write to."""

    id: str
    user: str
    name: str
    scopes: tuple[Scope, ...]
    groups: tuple[str, ...] = ()
    made_at: int
    expires: int
    made_by: str
    email: str = Field(default="", repr=False)


@dataclass(frozen=True)
class TokenLimits:
    """most: tokens that one user may have. longest_days: for how long. login_s: how long any login may be good for."""

    most: int = 50
    longest_days: int = 365
    login_s: int = 7 * 86_400


def keep(store: KeyValue, record: TokenRecord) -> None:
    """From now on the token is good, until it expires."""
    lease = store.lease(max(1, record.expires - record.made_at))
    store.put_if(_place(record.user, record.id), record.model_dump_json().encode(), ABSENT, lease)


def find(store: KeyValue, user: str, token_id: str) -> TokenRecord | None:
    """The record of this user's token; None: it was revoked, has expired, or never was."""
    entry = store.get(_place(user, token_id))
    return None if entry is None else TokenRecord.model_validate_json(entry.value)


def of_user(store: KeyValue, user: str) -> list[TokenRecord]:
    """All that this user has."""
    return _list(store, _place(user, ""))


def of_everybody(store: KeyValue) -> list[TokenRecord]:
    """All there are."""
    return _list(store, f"{_ISSUED}/")


def revoke(store: KeyValue, record: TokenRecord) -> None:
    """From now on the token is good for nothing."""
    store.delete_if(_place(record.user, record.id), None)


def digest(token: str) -> str:
    """By which a login is known here: the token cannot be made of it."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def end_login(store: KeyValue, token_digest: str, seconds: int) -> None:
    """From now on the login is good for nothing, for so long at least."""
    store.put_if(f"{_ENDED}/{token_digest}", b"", None, store.lease(max(1, seconds)))


def login_has_ended(store: KeyValue, token_digest: str) -> bool:
    """Whether somebody has logged out of it."""
    return store.get(f"{_ENDED}/{token_digest}") is not None


def _place(user: str, token_id: str) -> str:
    return f"{_ISSUED}/{quote(user, safe='')}/{token_id}"


def _list(store: KeyValue, below: str) -> list[TokenRecord]:
    found = [TokenRecord.model_validate_json(entry.value) for entry in store.list(below)]
    return sorted(found, key=lambda record: (record.user, record.made_at, record.id))
