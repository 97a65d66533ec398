"""Unit tests see nothing of the world."""

from __future__ import annotations

import socket

import pytest
import pytest_socket


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
def test_sockets_are_refused(family: socket.AddressFamily) -> None:
    # The plug-in warns before it raises, and our warnings are errors.
    with pytest.raises((pytest_socket.SocketBlockedError, UserWarning), match="tried to use socket"):
        socket.socket(family)
