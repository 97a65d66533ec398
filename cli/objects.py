"""The user's objects, as the API keeps them: their content goes by addresses that it gives out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from prominence.cli.transport import Transport


@dataclass(frozen=True)
class Address:
    """Where to send an object: by a PUT, or with fields by the POST of a form."""

    url: str
    fields: Mapping[str, str] = field(default_factory=dict)


class Objects:
    """By name; those of a group as GROUP/NAME."""

    def __init__(self, api: Transport) -> None:
        self._api = api

    def list(self, path: str = "") -> list[dict[str, Any]]:
        """Our own objects, or those of a group or a folder of its: name, size, lastModified, ..."""
        found = self._api.call("GET", f"/data/{quote(path)}" if path else "/data")
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self._api.strange()
        return found

    def address_to_upload(self, name: str, size: int, checksum: str) -> Address:
        """Where to send an object of this size and SHA-256 checksum."""
        body = json.dumps({"filename": name, "size": size, "checksum": checksum}).encode()
        match self._api.document("POST", "/data/upload", body):
            case {"url": str(url), "fields": dict(fields)}:
                return Address(url, {str(key): str(value) for key, value in fields.items()})
            case {"url": str(url)}:
                return Address(url)
        raise self._api.strange()

    def delete(self, name: str) -> None:
        """Delete an object. What is not there is fine."""
        self._api.send("DELETE", f"/data/{quote(name)}")

    def quota(self) -> dict[str, Any]:
        """What we and our groups use, of how much, and how long things are kept."""
        return self._api.document("GET", "/quota")
