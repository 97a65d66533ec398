"""Wait until all members of an array have ended. It is asked again and again, less often the longer it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from prominence.cli import view
from prominence.cli.errors import Unreachable
from prominence.cli.follow import PATIENCE_S, SHORTEST_PAUSE_S, Clock

LONGEST_PAUSE_S = 10.0
"""The API counts the members each time, and there may be thousands."""

Array = Mapping[str, Any]


class Api(Protocol):
    """What gathering needs of the client."""

    def get(self, array_id: int) -> dict[str, Any]:
        """The array as it is now."""


class Listener(Protocol):
    """Who is told how it goes."""

    def seen(self, array: Array) -> None:
        """The array is like this now; called every turn."""

    def away(self, error: Unreachable) -> None:
        """The API does not answer; called every turn in which it does not."""


def gather(api: Api, array_id: int, listener: Listener, clock: Clock, timeout_s: float | None = None) -> dict[str, Any]:
    """The array when all of its members have ended. Raises TimeoutError; Unreachable after minutes without answer."""
    pause, begun_at = SHORTEST_PAUSE_S, clock.now()
    heard_at = begun_at
    while True:
        try:
            array = api.get(array_id)
            heard_at = clock.now()
            listener.seen(array)
            if _has_ended(array):
                return array
        except Unreachable as error:
            if clock.now() - heard_at > PATIENCE_S:
                raise
            listener.away(error)
        left = pause if timeout_s is None else begun_at + timeout_s - clock.now()
        if left <= 0:
            raise TimeoutError(f"Array {array_id} has not ended in time.")
        clock.sleep(min(pause, left))
        pause = min(pause * 1.25, LONGEST_PAUSE_S)


def _has_ended(array: Array) -> bool:
    """All of them: one that has left the queue and is not booked yet is missing for a moment."""
    statuses = view.mapping(array, "statuses")
    counts = [count for count in statuses.values() if isinstance(count, int)]
    return view.ENDED.issuperset(statuses) and sum(counts) == array.get("count")
