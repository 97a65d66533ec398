"""The user's objects, as the API keeps them: their content goes by addresses that it gives out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from prominence.cli import transfers
from prominence.cli.errors import ClientError
from prominence.cli.transfers import Address, Progress
from prominence.cli.transport import Transport


class Objects:
    """By name; those of a group as GROUP/NAME. web: for the addresses of their content."""

    def __init__(self, api: Transport, web: Callable[[str], requests.Session]) -> None:
        self._api, self._web = api, web

    def list(self, path: str = "") -> list[dict[str, Any]]:
        """Our own objects, or those of a group or a folder of its: name, size, lastModified, ..."""
        found = self._api.call("GET", f"/data/{quote(path)}" if path else "/data")
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self._api.strange()
        return found

    def upload(self, file: Path, name: str = "", checksum: str = "", progress: Progress = lambda _: None) -> None:
        """Send a file, in place of the object of its name. name, checksum: the file's, if nobody says otherwise."""
        if not file.is_file():  # a pipe is empty when its checksum has been made
            raise ClientError(f"{file} is not a regular file: write what it gives into one, and upload that.")
        found = checksum or transfers.checksum(file)
        address = self._address(name or file.name, file.stat().st_size, found)
        transfers.upload(self._web(address.url), address, file, progress)

    def delete(self, name: str) -> None:
        """Delete an object. What is not there is fine."""
        self._api.send("DELETE", f"/data/{quote(name)}")

    def quota(self) -> dict[str, Any]:
        """What we and our groups use, of how much, and how long things are kept."""
        return self._api.document("GET", "/quota")

    def _address(self, name: str, size: int, checksum: str) -> Address:
        """Where to send an object of this size and SHA-256 checksum."""
        body = json.dumps({"filename": name, "size": size, "checksum": checksum}).encode()
        match self._api.document("POST", "/data/upload", body):
            case {"url": str(url), "fields": dict(fields)}:
                return Address(url, {str(key): str(value) for key, value in fields.items()})
            case {"url": str(url)}:
                return Address(url)
        raise self._api.strange()
