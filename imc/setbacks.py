"""What failed lately is left alone for a while, and for longer each time it fails again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

Key = tuple[str, ...]
"""Of a worker, a cloud or a flavour: see the functions below."""


def worker(name: str, *act: str) -> Key:
    """This act on the worker failed. Without an act: all acts on it."""
    return ("worker", name, *act)


def cloud(name: str) -> Key:
    """The cloud refused in a way that concerns everything there."""
    return ("cloud", name)


def flavour(cloud_name: str, name: str) -> Key:
    """The cloud has none of this flavour."""
    return ("flavour", cloud_name, name)


def spot(cloud_name: str) -> Key:
    """Our share of the cloud's spot machines is used up."""
    return ("spot", cloud_name)


@dataclass(frozen=True)
class Setback:
    """reason: for people. retry_at: until then it is left alone."""

    reason: str
    retry_at: datetime
    times: int


class Setbacks:
    """Those in force. They are not stored: a new process tries everything once more."""

    def __init__(self, first_s: float = 2, longest_s: float = 60) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._known: dict[Key, Setback] = {}

    def failed(self, key: Key, reason: str, now: datetime) -> Setback:
        """It failed now."""
        times = self._known[key].times + 1 if key in self._known else 1
        wait_s = min(self._longest_s, self._first_s * 2 ** min(times - 1, 30))
        self._known[key] = Setback(reason, now + timedelta(seconds=wait_s), times)
        return self._known[key]

    def worked(self, key: Key) -> None:
        """It worked, or is of no interest any more; and so all that its key is the beginning of."""
        for known in [known for known in self._known if known[: len(key)] == key]:
            del self._known[known]

    def of(self, key: Key, now: datetime) -> Setback | None:
        """The setback that still holds, if any."""
        found = self._known.get(key)
        return found if found and now < found.retry_at else None
