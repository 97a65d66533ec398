"""Webhooks, as the API keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from prominence.cli.transport import Transport


class Webhooks:
    """Programs that are called when our jobs have ended."""

    def __init__(self, api: Transport) -> None:
        self._api = api

    def create(
        self, url: str, *, events: Iterable[str] = (), group: str | None = None, name: str = ""
    ) -> dict[str, Any]:
        """Register one; what is known of it, with its secret as `secret`, which is told this once."""
        said = {"url": url, "events": list(events), "group": group, "name": name}
        body = {key: value for key, value in said.items() if value}
        return self._api.document("POST", "/webhooks", json.dumps(body).encode())

    def list(self) -> list[dict[str, Any]]:
        """Ours, and those of groups that we look after, with how they do."""
        found: Any = self._api.call("GET", "/webhooks")
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self._api.strange()
        return found

    def delete(self, webhook_id: str) -> None:
        """Have it called no more."""
        self._api.send("DELETE", f"/webhooks/{quote(webhook_id, safe='')}")
