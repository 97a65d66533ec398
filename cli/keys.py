"""The user's keys and values, as the API keeps them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from prominence.cli.transport import Transport


class Keys:
    """Keys are names with "/" in them; a "/" before the first may be left out. Values are text."""

    def __init__(self, api: Transport) -> None:
        self._api = api

    def list(self, prefix: str = "") -> list[str]:
        """The keys that start with `prefix`."""
        found = self._api.call("GET", _path(prefix), query=[("list", "true")])
        if not isinstance(found, list) or not all(isinstance(key, str) for key in found):
            raise self._api.strange()
        return found

    def values(self, prefix: str = "") -> dict[str, str]:
        """The keys that start with `prefix`, with their values."""
        found = self._api.call("GET", _path(prefix), query=[("list", "true"), ("values", "true")])
        if not isinstance(found, list) or not all(_is_pair(pair) for pair in found):
            raise self._api.strange()
        return {key: value for pair in found for key, value in pair.items()}

    def get(self, key: str) -> str:
        """The value of a key. Raises ApiError with the status 404 when there is none."""
        with self._api.send("GET", _path(key)) as answer:
            return answer.content.decode(errors="replace")

    def set(self, key: str, value: bytes | str, previous: str | None = None) -> None:
        """Set a key. previous: only if that is its value; "" if there must be no such key."""
        query = [] if previous is None else [("prev", previous)]
        content = value.encode() if isinstance(value, str) else value
        self._api.send("POST", _path(key), query, content, {"Content-Type": "text/plain; charset=utf-8"})

    def delete(self, key: str, prefix: bool = False) -> None:
        """Delete a key, or with `prefix` all that start like this. What is not there is fine."""
        self._api.send("DELETE", _path(key), [("prefix", "true")] if prefix else [])


def _path(key: str) -> str:
    key = key.lstrip("/")
    return f"/kv/{quote(key)}" if key else "/kv/"


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, dict) and all(isinstance(value, str) for value in pair.values())
