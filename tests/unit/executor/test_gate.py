"""What the gate understands of what it is told: a client of SOCKS 5, or nonsense."""

from __future__ import annotations

import socket
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.executor.adapters import gate


class Client:
    """A socket that says this, in pieces, and then nothing more."""

    def __init__(self, said: bytes, piece: int = 3) -> None:
        self._said, self._piece = said, piece
        self.told = b""

    def recv(self, size: int) -> bytes:
        size = min(size, self._piece)
        found, self._said = self._said[:size], self._said[size:]
        return found

    def sendall(self, data: bytes) -> None:
        self.told += data


def asked(client: Client) -> tuple[str, int]:
    return gate._asked(cast(socket.socket, client))


HELLO = b"\x05\x01\x00"


@pytest.mark.parametrize(
    ("said", "address"),
    [
        (b"\x05\x01\x00\x03\x0bexample.org\x01\xbb", ("example.org", 443)),
        (b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50", ("127.0.0.1", 80)),
        (b"\x05\x01\x00\x04" + bytes(15) + b"\x01\x00\x50", ("::1", 80)),
    ],
)
def test_a_client_says_where_it_wants_to_get(said: bytes, address: tuple[str, int]) -> None:
    client = Client(HELLO + said)
    assert asked(client) == address
    assert client.told == b"\x05\x00"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x04\x01\x00",
        b"\x05\x01\x02",
        HELLO + b"\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50",  # to listen
        HELLO + b"\x05\x01\x00\x09",
        HELLO + b"\x05\x01\x00\x03\x0bexamp",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_whoever_says_something_else_gets_nowhere(said: bytes) -> None:
    with pytest.raises(gate._Nonsense):
        asked(Client(said))


@given(st.binary(max_size=300), st.integers(1, 300))
def test_anything_is_an_address_or_nonsense(said: bytes, piece: int) -> None:
    found: Any = None
    try:
        found = asked(Client(said, piece))
    except gate._Nonsense:
        return
    assert isinstance(found[0], str) and 0 <= found[1] < 2**16
