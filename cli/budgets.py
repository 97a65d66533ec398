"""Budgets of groups, as the API keeps them."""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import quote

from prominence.cli.transport import IDEMPOTENCY_KEY, Transport

Documents = list[dict[str, Any]]


class Budgets:
    """How many service units groups may use, and have used."""

    def __init__(self, api: Transport) -> None:
        self._api = api

    def list(self) -> Documents:
        """Those of our groups, and of those whom we look after."""
        return self._documents("/budgets")

    def ledger(self, group: str) -> Documents:
        """By how much a group's budget was adjusted, when, by whom and why; the oldest first."""
        return self._documents(f"{_at(group)}/ledger")

    def adjust(self, group: str, units: float, why: str, idempotency_key: str | None = None) -> dict[str, Any]:
        """For operators: give a group more, or less; the entry in the ledger. It is made once, however often the
        request must be repeated.

        idempotency_key: for who wants to repeat the call later, or elsewhere; absent: a new one.
        """
        body = json.dumps({"units": units, "why": why}).encode()
        headers = {IDEMPOTENCY_KEY: idempotency_key or str(uuid.uuid4())}
        entry = self._api.call("POST", f"{_at(group)}/adjustments", body=body, headers=headers)
        if not isinstance(entry, dict):
            raise self._api.strange()
        return entry

    def _documents(self, path: str) -> Documents:
        found: Any = self._api.call("GET", path)
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self._api.strange()
        return found


def _at(group: str) -> str:
    return f"/budgets/{quote(group, safe='')}"
