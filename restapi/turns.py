"""How much of the service one user may ask for: requests a second, and jobs in the queue at once.

Both are kept in this process. Behind several processes a user may make as many requests in each, and submit for some
seconds what another process has not counted yet: enough to keep one user from taking the service from the others.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from prominence.core.errors import QueueFull, TooMany
from prominence.restapi.bucket import Bucket
from prominence.restapi.tally import Tally

COUNT_IS_GOOD_FOR_S = 30
_MOST_USERS = 10_000


class Requests:
    """per_s: requests of one user; 0 for any number. at_once: as many when they have made none for a while."""

    def __init__(self, per_s: float, at_once: int, now: Callable[[], float]) -> None:
        self._per_s, self._at_once, self._now = per_s, at_once, now
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, user: str) -> None:
        """One more request of this user. Raises TooMany."""
        if not self._per_s:
            return
        bucket = self._bucket(user)
        if not bucket.take():
            wait_s = math.ceil(bucket.wait_s())
            raise TooMany(f"More than {self._per_s:g} requests a second; try again in {wait_s} s.", wait_s)

    def _bucket(self, user: str) -> Bucket:
        with self._lock:
            if user not in self._buckets:
                self._buckets[user] = Bucket(self._per_s, self._at_once, self._now)
            self._buckets.move_to_end(user)
            while len(self._buckets) > _MOST_USERS:
                self._buckets.popitem(last=False)
            return self._buckets[user]


class Queued:
    """most: jobs that a user may have in the queue; 0 for any number. count: how many of a user there are."""

    def __init__(self, most: int, count: Callable[[str, int], int], now: Callable[[], float]) -> None:
        self._most, self._count = most, count
        self._known: Tally[int] = Tally(COUNT_IS_GOOD_FOR_S, _MOST_USERS, now)

    def take(self, user: str, jobs: int = 1) -> None:
        """So many jobs more of this user. Raises QueueFull, Unavailable."""
        if not self._most:
            return
        full = self._known.full(user)
        if full is None:
            full = self._known.take(user, partial(self._with, jobs), partial(self._count, user, self._most))
        if full is not None:
            raise QueueFull(
                f"You have {full} jobs in the queue, and may have {self._most}; wait until some have ended, or delete "
                "some."
            )

    def _with(self, jobs: int, there: int) -> int | None:
        return there + jobs if there + jobs <= self._most else None
