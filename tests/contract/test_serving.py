"""What imc's server answers to requests that no application sees."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from flask import request

from prominence.imc import app
from prominence.imc.serving import Served

MOST = 1000
LONGEST_HEAD = 262_144
"""Of waitress."""


@pytest.fixture
def served() -> Iterator[Served]:
    flask = app.bare("a test", MOST)
    flask.post("/length")(lambda: str(len(request.get_data())))
    server = Served("test", flask, "127.0.0.1", 0, ended=lambda: None)
    yield server
    server.close()


def answer_to(served: Served, request: bytes) -> tuple[int, str, bytes]:
    """Status, kind of content and body."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    kinds = dict(header.lower().split(": ", 1) for header in headers)
    return int(status.split()[1]), kinds["content-type"], body


def posted(length: int, more: str = "") -> bytes:
    return f"POST /length HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}{more}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("request_", "status", "reason"),
    [
        (b"GET\r\n\r\n", 400, "InvalidRequest"),
        (posted(0, "\r\nno header"), 400, "InvalidRequest"),
        (posted(MOST + 1), 413, "TooLarge"),
        (posted(0, "\r\nTransfer-Encoding: gzip"), 501, "InvalidRequest"),
        # To the byte: a connection that is closed before all has been read is reset, which the answer may not survive.
        (b"GET / HTTP/1.1\r\nX: ".ljust(LONGEST_HEAD, b"x"), 431, "TooLarge"),
    ],
)
def test_they_are_told_as_all_others(served: Served, request_: bytes, status: int, reason: str) -> None:
    told, kind, body = answer_to(served, request_)
    assert (told, kind) == (status, "application/json")
    assert json.loads(body).keys() == {"error", "reasonCode"}
    assert json.loads(body)["reasonCode"] == reason


def test_a_body_of_just_the_limit_is_taken(served: Served) -> None:
    assert answer_to(served, posted(MOST) + MOST * b"x")[::2] == (200, str(MOST).encode())
