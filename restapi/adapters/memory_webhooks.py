"""Caller in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Called:
    """As it came."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class MemoryCaller:
    """Keeps what it is given. Addresses in `fails` raise what is there for them."""

    def __init__(self) -> None:
        self.calls: list[Called] = []
        self.fails: dict[str, Exception] = {}

    def call(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        if url in self.fails:
            raise self.fails[url]
        self.calls.append(Called(url, headers, body))
