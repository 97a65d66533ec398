"""To whom messages of a job go. Pure.

An address is somebody's own affair: it is neither logged nor put where a worker could read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prominence.core.errors import Rejected
from prominence.core.notifications import is_address
from prominence.restapi.identity import Identity


def verified(claims: Mapping[str, Any]) -> str:
    """The address that an identity provider tells of a user; "" for none, or one that it does not vouch for."""
    address = claims.get("email")
    vouched_for = claims.get("email_verified", True) in (True, "true")  # some write it as a text
    return str(address) if vouched_for and is_address(address) else ""


def address_of(asks: bool, caller: Identity, known: Mapping[str, str] | None) -> str:
    """Where messages go; "" when nothing asks for any. Raises Rejected where there is nobody to send them to.

    known: addresses by user, which come before what the caller's login tells; None: no message can be sent.
    """
    if not asks:
        return ""
    if known is None:
        raise Rejected.because("this service has no mail server to send messages by; leave them out", "notifications")
    address = known.get(caller.user) or caller.email
    if not address:
        raise Rejected.because(
            "no email address of yours is known here: your login tells none that has been verified, and the operator "
            "of this service has named none for you",
            "notifications",
        )
    return address
