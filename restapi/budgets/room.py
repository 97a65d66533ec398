"""Whether a group's budget has room for a new job: what was found a moment ago, and what was granted since.

Both are in one record of the shared store, which is changed only as it was read. So of any number of processes none
grants what another has. A grant is counted until its job is seen in the queue, where it is counted itself; one of
which no job has come is forgotten after a while.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from prominence.core.errors import BudgetExceeded, Conflict, Unavailable
from prominence.core.keyvalue.port import ABSENT, KeyValue
from prominence.core.validation import Document
from prominence.restapi.budgets.rules import Budget, Standing, shown
from prominence.restapi.recent import Recent

GOOD_FOR_S = 10
FULL_IS_GOOD_FOR_S = 2
GRANTED_FOR_S = 120
"""Within which a request that is granted has its job in the queue, or never will."""

MOST_GRANTS = 200
"""That a record holds; with more it is time to look again."""

_RECORDS = "/prominence/budgets/room"
_MOST_GROUPS = 10_000
_ATTEMPTS = 64
"""More than there are processes. Of all that write at the same time one is done each time."""

Look = Callable[[], tuple[Standing, Collection[str]]]
"""How it is with a budget, and the uids of what is in the queue."""


class Grant(Document):
    """To a job that may not be queued yet. at: an epoch."""

    units_ms: int
    at: float


class Record(Document):
    """Of a budget that has begun at `since`, as it was when it was looked at."""

    since: int
    looked_at: float
    limit_ms: int
    adjusted_ms: int
    used_ms: int
    reserved_ms: int
    is_over: bool
    grants: Mapping[str, Grant] = {}

    def is_good(self, budget: Budget, now: float) -> bool:
        """Whether it need not be looked at anew."""
        age = now - self.looked_at
        return self.since == budget.period.since and self.limit_ms == budget.units_ms and 0 <= age < GOOD_FOR_S

    def standing(self, budget: Budget) -> Standing:
        """With what was granted."""
        granted = sum(one.units_ms for one in self.grants.values())
        return Standing(budget, self.adjusted_ms, self.used_ms, self.reserved_ms + granted, self.is_over)


@dataclass
class Room:
    """now: seconds, by any clock that only goes forward: for so long somebody who was refused is not looked at anew."""

    now: Callable[[], float]
    _locks: defaultdict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    def __post_init__(self) -> None:
        self._full: Recent[Standing] = Recent(FULL_IS_GOOD_FOR_S, _MOST_GROUPS, self.now)

    def take(self, budget: Budget, needed_ms: int, uid: str, look: Look, store: KeyValue, at: datetime) -> None:
        """Keep so much of it for the job with this uid. Raises BudgetExceeded; Unavailable; what `look` raises."""
        key = f"{budget.period.since} {budget.group}"
        full = self._full.get(key)
        if full is not None and not full.takes(needed_ms):
            raise _refusal(full, needed_ms)
        # Those of one process take turns, so that few meet in the store.
        with self._locks[key]:
            full = _taken(budget, needed_ms, uid, look, store, at.timestamp())
        if full is not None:
            self._full.put(key, full)
            raise _refusal(full, needed_ms)

    def give_back(self, budget: Budget, uid: str, store: KeyValue) -> None:
        """No job has come of it. Where that cannot be noted, it is forgotten after a while. Raises Unavailable."""
        place = _place(budget)
        for _ in range(_ATTEMPTS):
            entry = store.get(place)
            record = None if entry is None else Record.model_validate_json(entry.value)
            if entry is None or record is None or uid not in record.grants:
                return
            left = {known: one for known, one in record.grants.items() if known != uid}
            with suppress(Conflict):
                store.put_if(
                    place, record.model_copy(update={"grants": left}).model_dump_json().encode(), entry.revision
                )
                return


def _place(budget: Budget) -> str:
    return f"{_RECORDS}/{quote(budget.group, safe='')}"


def _taken(budget: Budget, needed_ms: int, uid: str, look: Look, store: KeyValue, now: float) -> Standing | None:
    """None once it is; how it stands where there is no room."""
    place = _place(budget)
    for _ in range(_ATTEMPTS):
        entry = store.get(place)
        record = None if entry is None else Record.model_validate_json(entry.value)
        if record is None or not _serves(record, budget, needed_ms, now):
            record = _looked(budget, record, look, now)
        standing = record.standing(budget)
        if not standing.takes(needed_ms):
            return standing
        granted = record.model_copy(update={"grants": {**record.grants, uid: Grant(units_ms=needed_ms, at=now)}})
        try:
            store.put_if(place, granted.model_dump_json().encode(), entry.revision if entry else ABSENT)
        except Conflict:
            continue
        return None
    raise Unavailable("Too many submit jobs of this group at this moment.", 1)


def _serves(record: Record, budget: Budget, needed_ms: int, now: float) -> bool:
    """Nothing is refused without a look."""
    is_small = len(record.grants) < MOST_GRANTS
    return record.is_good(budget, now) and is_small and record.standing(budget).takes(needed_ms)


def _looked(budget: Budget, before: Record | None, look: Look, now: float) -> Record:
    """The record was read before: who grants something meanwhile makes this one void."""
    standing, queued = look()
    grants = before.grants if before is not None and before.since == budget.period.since else {}
    return Record(
        since=budget.period.since,
        looked_at=now,
        limit_ms=budget.units_ms,
        adjusted_ms=standing.adjusted_ms,
        used_ms=standing.used_ms,
        reserved_ms=standing.reserved_ms,
        is_over=standing.is_over,
        grants={uid: one for uid, one in grants.items() if uid not in queued and now - one.at < GRANTED_FOR_S},
    )


def _refusal(standing: Standing, needed_ms: int) -> BudgetExceeded:
    group = standing.budget.group
    if standing.is_over:
        return BudgetExceeded(f"The time of the budget of group {group} is over; ask the operator for another.")
    return BudgetExceeded(
        f"It could use {shown(needed_ms)} service units, and the budget of group {group} has "
        f"{shown(max(0, standing.left_ms))} left: of {shown(standing.limit_ms)}, {shown(standing.used_ms)} are used "
        f"and {shown(standing.reserved_ms)} kept for jobs in the queue. Ask for a shorter resources.walltime or for "
        "less, wait until others have ended, or ask the operator for more."
    )
