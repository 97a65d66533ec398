"""Where the executor may speak HTTP to: anywhere but what listens on the worker itself, and metadata services.

Addresses are checked after each name was looked up, redirects included.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import urllib.request
from typing import Any

_METADATA = {ipaddress.ip_address(one) for one in ("fd00:ec2::254", "fd20:ce::254", "168.63.129.16")}
"""Of clouds, where they are not link-local: Amazon's and Google's by IPv6, and what Azure has beside its own."""


class Forbidden(OSError):
    """There, no artifact is fetched from."""


def connect(address: Any, timeout: Any = None, source_address: Any = None) -> socket.socket:
    """As `socket.create_connection`, to none but addresses where artifacts may be."""
    host, port = address
    last: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, place in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM):
        if not may_be_fetched_from(str(place[0])):
            raise Forbidden("its address is one that nothing is fetched from")
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(timeout)
            connection.connect(place)
            return connection
        except OSError as error:
            connection.close()
            last = error
    raise last


def may_be_fetched_from(address: str) -> bool:
    """Whether artifacts may come from there: neither the worker itself, nor a metadata service, nor nowhere."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip in _METADATA:
        return False
    return not (ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast)


class _Plain(http.client.HTTPConnection):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._create_connection = connect


class _Secure(http.client.HTTPSConnection):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._create_connection = connect


class _PlainHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_Plain, req)


class _SecureHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_Secure, req, context=ssl.create_default_context())


def opener(proxies: bool, checks: bool) -> urllib.request.OpenerDirector:
    """Of the web only: no files, no FTP."""
    opener = urllib.request.OpenerDirector()
    plain, secure = urllib.request.HTTPHandler(), urllib.request.HTTPSHandler(context=ssl.create_default_context())
    for handler in (
        urllib.request.ProxyHandler(None if proxies else {}),
        _PlainHandler() if checks else plain,
        _SecureHandler() if checks else secure,
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener
