"""The user's tokens, as the API keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from prominence.cli.transport import Transport


class Tokens:
    """What a script gets to act for its user, within bounds."""

    def __init__(self, api: Transport) -> None:
        self._api = api

    def create(
        self,
        name: str = "",
        *,
        scopes: Iterable[str] = (),
        days: int | None = None,
        service: str | None = None,
        groups: Iterable[str] = (),
    ) -> dict[str, Any]:
        """Make a token; its record, with the token itself as `token`, which is told this once."""
        said = {"name": name, "scopes": list(scopes), "days": days, "service": service, "groups": list(groups)}
        body = {key: value for key, value in said.items() if value}
        return self._api.document("POST", "/tokens", json.dumps(body).encode())

    def list(self, everybody: bool = False) -> list[dict[str, Any]]:
        """The records of our tokens; for operators of all."""
        found = self._api.call("GET", "/tokens", query=[("all", "true")] if everybody else [])
        if not isinstance(found, list) or not all(isinstance(record, dict) for record in found):
            raise self._api.strange()
        return found

    def revoke(self, token_id: str) -> None:
        """Make a token good for nothing."""
        self._api.send("DELETE", f"/tokens/{quote(token_id, safe='')}")

    def for_workers(self) -> dict[str, Any]:
        """Make a token for workers of our own: `token`, `owner`, which their names end with, and `expires`.

        `collector` and `trustDomain` say which pool they join, and where.
        """
        return self._api.document("POST", "/token", b"")

    def revoke_of_workers(self) -> None:
        """Make all of these good for nothing."""
        self._api.send("DELETE", "/token")
