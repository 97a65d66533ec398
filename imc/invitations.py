"""Bootstrap secrets for workers that are started with user data.

A secret is computed from the pool's signing key, which imc alone has: the second request for one machine says what the
first said, so whichever of them a cloud has heard, the worker's secret is the one whose hash is kept.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from prominence.core.bootstrap import Invitation
from prominence.core.errors import Conflict, Unavailable
from prominence.core.machines import Flavour
from prominence.imc import trades
from prominence.imc.records import Record, Records

_PURPOSE = "prominence bootstrap secret"
_SHORTEST_KEY = 16


@dataclass(frozen=True)
class Invitations:
    """key_file: of the pool's signing key. url, ca: as in Invitation. lifetime_s: how long a secret is good."""

    key_file: Path
    url: str
    ca: str
    lifetime_s: int

    def invite(self, records: Records, name: str, flavour: Flavour, now: datetime) -> Invitation:
        """Keep the secret's hash with the record before anybody is told the secret. Raises Conflict; Unavailable."""
        key = self._key()
        expires_at = now + timedelta(seconds=self.lifetime_s)
        secrets: list[str] = []

        def change(record: Record) -> Record | None:
            if not record.may_join:
                return None
            secrets.append(_secret(key, record, flavour))
            return record.model_copy(update={"trade": trades.offered(record.trade, secrets[-1], expires_at)})

        if records.update(name, change) is None:
            raise Conflict(f"Worker {name} is not wanted any more.")
        return Invitation(url=self.url, secret=SecretStr(secrets[-1]), ca=self.ca)

    def _key(self) -> bytes:
        try:
            key = self.key_file.read_bytes()
        except OSError as error:
            raise Unavailable(f"{self.key_file} cannot be read: {error.strerror}") from error
        if len(key) < _SHORTEST_KEY:
            raise Unavailable(f"{self.key_file} holds no key: it has {len(key)} bytes")
        return key


def _secret(key: bytes, record: Record, flavour: Flavour) -> str:
    """Of one machine: a worker of the same name that comes later, or on another cloud, has another."""
    parts = (_PURPOSE, record.name, record.requested_at.isoformat(), flavour.cloud, flavour.name)
    return base64.urlsafe_b64encode(hmac.digest(key, "\0".join(parts).encode(), "sha256")).decode().rstrip("=")
