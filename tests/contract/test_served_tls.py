"""The API behind gunicorn with a certificate: what is no TLS gets nothing, and disturbs nobody."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from certificates import Authority, Files
from object_servers import LocalServer, served_objects

from prominence.restapi.objects import Reach, Terms

NAME = "uploads/alice/data.bin"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Authority(tmp_path_factory.mktemp("certificates")).signed("api")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, files: Files) -> Iterator[LocalServer]:
    with served_objects(tmp_path_factory.mktemp("objects"), files) as one:
        yield one


def test_who_trusts_its_authority_is_served(server: LocalServer, files: Files) -> None:
    content = bytes(range(256)) * 4096
    to_put = server.store.url_to_put(NAME, Terms(lifetime_s=60, largest=len(content)), Reach.USERS).url
    assert requests.put(to_put, data=content, timeout=30, verify=str(files.ca)).status_code == 201
    to_get = server.store.url_to_get(NAME, 60, Reach.USERS)
    assert requests.get(to_get, timeout=30, verify=str(files.ca)).content == content


def test_who_does_not_trust_it_says_nothing_to_it(server: LocalServer, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger").signed("nobody")
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(server.store.url_to_get(NAME, 60, Reach.USERS), timeout=30, verify=str(stranger.ca))


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 500, b"\0"])
def test_what_is_no_tls_is_answered_with_nothing_readable(server: LocalServer, files: Files, said: bytes) -> None:
    parts = urlsplit(server.store.url_to_get(NAME, 60, Reach.USERS))
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as client:
        client.sendall(said)
        client.shutdown(socket.SHUT_WR)
        heard = b""
        while piece := _received(client):
            heard += piece
    assert b"HTTP" not in heard and b"error" not in heard
    health = f"https://{parts.netloc}/prominence/v1/health"
    assert requests.get(health, timeout=30, verify=str(files.ca)).status_code == 204


def _received(client: socket.socket) -> bytes:
    try:
        return client.recv(4096)
    except ConnectionResetError:
        return b""
