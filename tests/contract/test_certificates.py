"""The certificate that a real TLS server shows, as `prominence doctor` looks at it."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from certificates import a_certificate

from prominence.cli.certificates import certificate_of


@contextmanager
def a_server(certificate: Path) -> Iterator[int]:
    """Shakes hands with one client; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):  # a client that does not accept us goes away
                connection, _ = server.accept()
                with context.wrap_socket(connection, server_side=True) as wrapped:
                    wrapped.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            thread.join(60)


def test_when_it_expires_is_told(tmp_path: Path) -> None:
    file = a_certificate(tmp_path, days=30)
    with a_server(file) as port:
        found = certificate_of("127.0.0.1", port, {"REQUESTS_CA_BUNDLE": str(file)})
    assert found.expires is not None, found
    assert round((found.expires - time.time()) / 86_400) == 30


def test_one_that_has_expired_is_refused(tmp_path: Path) -> None:
    file = a_certificate(tmp_path, days=-1)
    with a_server(file) as port:
        found = certificate_of("127.0.0.1", port, {"REQUESTS_CA_BUNDLE": str(file)})
    assert (found.refused, found.expires) == (True, None)
    assert "expired" in found.trouble


def test_one_of_a_stranger_is_refused(tmp_path: Path) -> None:
    with a_server(a_certificate(tmp_path)) as port:
        found = certificate_of("127.0.0.1", port, {})
    assert found.refused
    assert found.trouble


def test_where_nobody_listens_nothing_is_known() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        found = certificate_of("127.0.0.1", taken.getsockname()[1], {})
    assert (found.refused, found.expires) == (False, None)
    assert "refused" in found.trouble
