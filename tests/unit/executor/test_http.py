"""What is fetched, where the web is a pretended one; tests/contract has a real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prominence.executor.adapters import http
from prominence.executor.ports import Stop
from prominence.executor.transfer import Address


class Answer:
    """A file of one byte."""

    status = 200

    def __init__(self) -> None:
        self.headers = {"Content-Length": "1", "ETag": '"1"'}
        self._left = b"x"

    def readinto(self, room: memoryview) -> int:
        came, self._left = self._left, b""
        room[: len(came)] = came
        return len(came)


class World:
    @contextmanager
    def open(self, request: object, timeout: float) -> Iterator[Answer]:
        yield Answer()


@pytest.mark.parametrize("letter", ["a", "ä", "海", "🌊"])
def test_a_name_may_be_as_long_as_names_can_be(letter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "opener", lambda proxies, checks: World())
    file = tmp_path / (letter * (255 // len(letter.encode())))
    assert http.HttpWeb().get(Address("https://there/x"), file, None, Stop()) == '"1"'
    assert [found.read_text() for found in tmp_path.iterdir()] == ["x"]
