"""Text of HTCondor's configuration that holds attributes and expressions, in which no value can say more than a value.

The startd reads attributes by ClassAds' old rules, where a backslash protects nothing but a quote.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from prominence.core import classads
from prominence.core.condor_config import config, plain
from prominence.core.errors import Rejected


def attributes(values: Mapping[str, str]) -> str:
    """Configuration that adds these strings to the ads of the startd. Raises Rejected for what it cannot hold."""
    for name, value in values.items():
        plain(name, value.strip())
        if "\\" in value:
            raise Rejected.because("an attribute of a worker cannot hold a backslash", name)
    quoted: dict[str, str | int] = {name: classads.quote(value) for name, value in values.items()}
    return config(quoted) + f"STARTD_ATTRS = $(STARTD_ATTRS), {', '.join(values)}\n"


@dataclass(frozen=True)
class Revocation:
    """No token of `identity` issued until `issued_until` is accepted. To be kept until `expires`.

    Both are seconds since 1970, as in the tokens. Later tokens of the same name are good ones.
    """

    identity: str
    issued_until: int
    expires: int


def revocations(entries: Sequence[Revocation]) -> str:
    """Configuration with which a collector refuses the tokens of these identities."""
    if not entries:
        return "# No token is revoked.\n"
    terms = [f"(sub == {classads.quote(entry.identity)} && iat <= {entry.issued_until})" for entry in entries]
    # An expression that cannot be evaluated would revoke every token.
    return config({"SEC_TOKEN_REVOCATION_EXPR": classads.any_of(terms)})


@dataclass(frozen=True)
class Outsider:
    """A machine of this name is not heard by the collector; readmitted: it is again.

    said_at: when either was said last, in milliseconds since 1970; of an imc that did not note it 0.
    """

    name: str
    said_at: int = 0
    readmitted: bool = False


def denials(names: Collection[str]) -> str:
    """Configuration with which a collector hears no worker of these names, in no session that there is either."""
    if not names:
        return "# No worker is shut out.\n"
    identities = ", ".join(f"{name}@{classads.WORKER_DOMAIN}" for name in sorted(names))
    return config({f"COLLECTOR.DENY_ADVERTISE_{kind}": identities for kind in ("STARTD", "MASTER")})
