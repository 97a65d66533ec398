"""The trade of a bootstrap secret for a token: pure rules over what is kept of it with the worker's record.

The worker makes a key of its own at its first start and shows it with the secret. The first key that comes with the
secret in time is the worker's: it gets tokens with it from then on, so an answer that was lost may be asked for again,
and whoever finds the secret later, in user data or on a disk, has nothing. Of secret and key hashes are kept, no more.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
from datetime import datetime

from pydantic import AwareDatetime, Field

from prominence.core.validation import Document


class Trade(Document):
    """What is kept of a bootstrap secret."""

    secret_hash: str = Field(description="SHA-256 of the secret.")
    expires_at: AwareDatetime = Field(description="From then on it is good for nothing.")
    key_hash: str = Field(default="", description="SHA-256 of the key of whoever has shown it; empty: nobody has.")
    traded_at: AwareDatetime | None = Field(default=None, description="When that was.")
    refused: int = Field(default=0, ge=0, description="How often it was shown and refused since.")
    told: str = Field(default="", description="Of the last refusal, for people.")


class Outcome(enum.Enum):
    """Of showing a key, and maybe a secret."""

    TRADED = "traded"
    KNOWN = "known"  # the worker's own key: a token anew
    WRONG = "wrong"  # neither key nor secret is the worker's
    EXPIRED = "its bootstrap secret came too late"
    USED = "its bootstrap secret was shown by somebody else, long after it had been used"
    DISPUTED = "its bootstrap secret was shown by two, and nobody can tell which of them is the worker"

    @property
    def is_good(self) -> bool:
        """A token is due."""
        return self in (Outcome.TRADED, Outcome.KNOWN)

    @property
    def is_hopeless(self) -> bool:
        """The worker will never join, or somebody else may have joined in its name: it is given up."""
        return self in (Outcome.EXPIRED, Outcome.DISPUTED)


def offered(before: Trade | None, secret: str, expires_at: datetime) -> Trade:
    """The secret is about to be told to a machine. One that was traded already stays so."""
    if before is None or not hmac.compare_digest(before.secret_hash, digest(secret)):
        return Trade(secret_hash=digest(secret), expires_at=expires_at)
    return before if before.key_hash else before.model_copy(update={"expires_at": expires_at})


def shown(trade: Trade, key: str, secret: str, now: datetime) -> tuple[Outcome, Trade]:
    """What comes of it, and what is to be kept. secret: "" when none was shown."""
    has_key = hmac.compare_digest(trade.key_hash, digest(key))
    has_secret = hmac.compare_digest(trade.secret_hash, digest(secret))
    if has_key:
        return Outcome.KNOWN, trade
    if not has_secret:
        return Outcome.WRONG, trade
    if trade.key_hash:
        # While a machine may still be booting, either of the two may be the worker.
        return _refused(trade, Outcome.DISPUTED if now < trade.expires_at else Outcome.USED, now)
    if now >= trade.expires_at:
        return _refused(trade, Outcome.EXPIRED, now)
    return Outcome.TRADED, trade.model_copy(update={"key_hash": digest(key), "traded_at": now})


def _refused(trade: Trade, outcome: Outcome, now: datetime) -> tuple[Outcome, Trade]:
    told = f"{outcome.value} ({now.isoformat(timespec='seconds')})"
    return outcome, trade.model_copy(update={"refused": trade.refused + 1, "told": told})


def digest(text: str) -> str:
    """Enough for what has 256 random bits."""
    return hashlib.sha256(text.encode()).hexdigest()
