"""Which addresses may be called. Pure.

The service stands where its users do not: beside the site's own machines, and on a cloud beside what tells a machine
its secrets. Nothing but the public internet is called, and what the operator allows besides.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

LONGEST_URL = 2000

_PORT = "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
PATTERN = rf'https?://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::(?:{_PORT}))?(?:/[!"$-\[\]-~]*)?'
"""Of what can be registered: a host's name in IDNA, or its address of the old kind, no user, no fragment."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")
_NOT_PUBLIC: tuple[Network, ...] = tuple(
    map(
        ipaddress.ip_network,
        (
            "168.63.129.16/32",  # a cloud's own services for its machines, at a public address
            "192.0.0.0/24",  # the same of another; not all versions of Python know that none of it is public
            "192.88.99.0/24",  # relays of 6to4
            "2001::/23",  # Teredo and others of protocols
            "2002::/16",  # 6to4
            "3fff::/20",  # for documentation
        ),
    )
)


def may_be_called(address: str, allowed: Iterable[Network]) -> bool:
    """Whether this numeric address may. allowed: by the operator."""
    try:
        found: _Address = ipaddress.ip_address(address)
    except ValueError:
        return False
    return _is_in(found, allowed) or _is_public(found)


def of_site(address: str, allowed: Iterable[Network]) -> bool:
    """Whether the operator has allowed it by name: to such a one a call may go without encryption."""
    return _is_in(ipaddress.ip_address(address), allowed)


def _is_public(address: _Address) -> bool:
    if address in _NAT64:  # as public as the address of the old kind that it stands for
        return _is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return (
        (address.version == 4 or address in _UNICAST)
        and address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not _is_in(address, _NOT_PUBLIC)
    )


def _is_in(address: _Address, networks: Iterable[Network]) -> bool:
    return any(address.version == one.version and address in one for one in networks)


def parts_of(url: str) -> SplitResult:
    """Of an address that can be called. Raises ValueError with a sentence for any other."""
    if len(url) > LONGEST_URL:
        raise ValueError(f"may have {LONGEST_URL} characters at most")
    if not all("!" <= letter <= "~" for letter in url) or "\\" in url:
        raise ValueError("must be of plain characters without spaces; write others as %XX, and a host's name in IDNA")
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError:
        raise ValueError("is not an address") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("must begin with https:// and the name of a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user's name or a password; the signature says who calls")
    if parts.fragment or "#" in url or port == 0:
        raise ValueError("must not hold a # nor the port 0")
    return parts


def port_of(parts: SplitResult) -> int:
    """The one that is meant."""
    return parts.port or (443 if parts.scheme == "https" else 80)


def refusal(url: str, allowed: Iterable[Network]) -> str:
    """What is wrong with it already as it is written; "" for nothing. Names are looked up when they are called."""
    allowed = tuple(allowed)
    try:
        parts = parts_of(url)
    except ValueError as error:
        return str(error)
    host = parts.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "" if parts.scheme == "https" or allowed else "must begin with https://"
    if not may_be_called(host, allowed):
        return "is an address that this service does not call: loopback, link-local, private, or not the internet's"
    return "" if parts.scheme == "https" or of_site(host, allowed) else "must begin with https://"
