"""Caller over HTTP, to addresses that were looked at.

A name is looked up once, and the connection made to what was found and may be called: a name that means another machine
a moment later leads nowhere else. No redirect is followed, no proxy asked, and of an answer nothing but its status is
read, within one time for all of it.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import SplitResult

from prominence.core import version
from prominence.restapi.ports import NotTaken
from prominence.restapi.webhooks import addresses, rules
from prominence.restapi.webhooks.addresses import Network
from prominence.restapi.webhooks.rules import Trouble


class HttpCaller:
    """allowed: networks of the site's own that may be called. ca_file: certificates to trust; None: the usual ones."""

    def __init__(self, allowed: Iterable[Network], timeout_s: float, ca_file: Path | None) -> None:
        self._allowed = tuple(allowed)
        self._timeout_s = timeout_s
        self._context = ssl.create_default_context(cafile=ca_file)

    def call(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        try:
            parts = addresses.parts_of(url)
        except ValueError as error:
            raise NotTaken(Trouble.ADDRESS_NOT_ALLOWED) from error
        found = self._looked_up(parts)
        status = self._answer(parts, found, headers, body)
        trouble = rules.meaning(status)
        if trouble is not None:
            raise NotTaken(trouble, status)

    def _looked_up(self, parts: SplitResult) -> str:
        """The numeric address to connect to."""
        try:
            known = socket.getaddrinfo(parts.hostname, addresses.port_of(parts), type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NotTaken(Trouble.NAME_UNKNOWN) from error
        numeric = [str(sockaddr[0]).partition("%")[0] for *_, sockaddr in known]
        may = [one for one in numeric if addresses.may_be_called(one, self._allowed)]
        if not may:
            raise NotTaken(Trouble.ADDRESS_NOT_ALLOWED)
        if parts.scheme == "http":
            may = [one for one in may if addresses.of_site(one, self._allowed)]
        if not may:
            raise NotTaken(Trouble.NOT_ENCRYPTED)
        return may[0]

    def _answer(self, parts: SplitResult, address: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status that is answered."""
        ended = threading.Event()
        try:
            opened = socket.create_connection((address, addresses.port_of(parts)), self._timeout_s)
            with self._in_time(opened, ended) as held:
                if parts.scheme == "https":
                    held[0] = self._context.wrap_socket(
                        opened, server_hostname=parts.hostname, do_handshake_on_connect=False
                    )
                    held[0].do_handshake()  # type: ignore[attr-defined]  # wrapped a line above
                return _asked(held[0], parts, headers, body)
        except ssl.SSLCertVerificationError as error:
            raise NotTaken(Trouble.CERTIFICATE_REFUSED) from error
        except TimeoutError as error:
            raise NotTaken(Trouble.TIMED_OUT) from error
        except OSError as error:
            raise NotTaken(Trouble.TIMED_OUT if ended.is_set() else Trouble.UNREACHABLE) from error
        except http.client.HTTPException as error:
            raise NotTaken(Trouble.TIMED_OUT if ended.is_set() else Trouble.NOT_HTTP) from error

    @contextmanager
    def _in_time(self, opened: socket.socket, ended: threading.Event) -> Iterator[list[socket.socket]]:
        """A socket that is ended when its time is over, however much has come by then. ended: set if it was."""
        held = [opened]

        def end() -> None:
            ended.set()
            with suppress(OSError):  # it may be over anyway
                socket.socket.shutdown(held[0], socket.SHUT_RDWR)

        watch = threading.Timer(self._timeout_s, end)
        watch.daemon = True
        watch.start()
        try:
            yield held
        finally:
            watch.cancel()
            held[0].close()


def _asked(connected: socket.socket, parts: SplitResult, headers: Mapping[str, str], body: bytes) -> int:
    connection = http.client.HTTPConnection(parts.hostname or "", addresses.port_of(parts))
    connection.default_port = 443 if parts.scheme == "https" else 80
    connection.sock = connected
    where = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    agent = {"User-Agent": f"prominence/{version.installed()}", "Connection": "close"}
    connection.request("POST", where, body, {**agent, **headers})
    return connection.getresponse().status
