"""What is said of objects: files that users and jobs keep in the service's object store. Pure.

An object's name has parts with "/" between them, such as uploads/alice/data.tgz; `areas` makes them.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prominence.core.errors import QuotaReached

SERVED_AT = "/objects/"
"""Where the API serves those of its own store, beneath its base path."""


BROKEN_OFF = "The file did not arrive as a whole."


class Reach(enum.Enum):
    """From where a signed address must be reachable: the two sides may know the store by different names."""

    USERS = "users"
    WORKERS = "workers"


@dataclass(frozen=True)
class Stored:
    """An object that is there, whole. sha256: in hexadecimal digits; None: not known."""

    name: str
    size: int
    modified_at: datetime
    sha256: str | None = None


@dataclass(frozen=True)
class Terms:
    """What may be sent to a signed address, and for how long.

    largest: bytes. size: exactly so many, where it is known. sha256: what the content must have, where it is known.
    together: bytes that its owner's objects may have with it, for a store that can look when it has come.
    """

    lifetime_s: int
    largest: int
    size: int | None = None
    sha256: str | None = None
    together: int | None = None


def check_together(name: str, size: int, together: int, owned: Iterable[Stored]) -> None:
    """Whether an object that has come fits in with the others of its owner. Raises QuotaReached."""
    left = together - sum(one.size for one in owned if one.name != name)
    if size > left:
        raise QuotaReached(
            f"There is no room for its {size} bytes any more: {max(0, left)} are left. "
            "Delete what is no longer needed; `prominence quota` tells what is used."
        )


@dataclass(frozen=True)
class Put:
    """An address for one PUT with the content as its body. headers: must be sent with it.

    tells_checksum: whether the answer tells the SHA-256 of what has arrived, in the header Repr-Digest (RFC 9530).
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    tells_checksum: bool = False


@dataclass(frozen=True)
class Form:
    """An address for one POST of a form (multipart/form-data): these fields, then the content as `file`."""

    url: str
    fields: Mapping[str, str]
