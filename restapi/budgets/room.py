"""Whether a group's budget has room for a new job, as it was found a moment ago.

It is kept in this process, with what was taken since: behind several processes a group may be given the same room once
in each, for some seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from prominence.core.errors import Forbidden
from prominence.restapi.budgets.rules import Budget, Standing, shown
from prominence.restapi.tally import Tally

GOOD_FOR_S = 10
_MOST_GROUPS = 10_000


class Room:
    """now: seconds, by any clock that only goes forward."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._known: Tally[Standing] = Tally(GOOD_FOR_S, _MOST_GROUPS, now)

    def take(self, budget: Budget, needed_ms: int, look: Callable[[], Standing]) -> None:
        """Keep so much of the budget for a new job. look: how it is with it. Raises Forbidden; what `look` raises."""
        key = f"{budget.period.since} {budget.group}"
        full = self._known.full(key)
        if full is None or full.takes(needed_ms):
            full = self._known.take(key, partial(_with, needed_ms), look)
        if full is not None:
            raise _refusal(full, needed_ms)


def _with(needed_ms: int, standing: Standing) -> Standing | None:
    return replace(standing, reserved_ms=standing.reserved_ms + needed_ms) if standing.takes(needed_ms) else None


def _refusal(standing: Standing, needed_ms: int) -> Forbidden:
    group = standing.budget.group
    if standing.is_over:
        return Forbidden(f"The time of the budget of group {group} is over; ask the operator for another.")
    return Forbidden(
        f"It could use {shown(needed_ms)} service units, and the budget of group {group} has "
        f"{shown(max(0, standing.left_ms))} left: of {shown(standing.limit_ms)}, {shown(standing.used_ms)} are used "
        f"and {shown(standing.reserved_ms)} kept for jobs in the queue. Ask for a shorter resources.walltime or for "
        "less, wait until others have ended, or ask the operator for more."
    )
