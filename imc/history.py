"""How machines of each flavour did lately: whether they joined the pool, and after how long.

A process that has just started knows what the records tell, which are kept for about as long as it matters.
"""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from prominence.core.machines import Flavour, TrackRecord
from prominence.imc.records import Record

_KEPT = 20
_IN_A_ROW = 3
_LEFT_ALONE = timedelta(hours=1)


@dataclass(frozen=True)
class _Outcome:
    at: datetime
    boot_s: float | None  # None: it never joined


class History:
    """By cloud and name of the flavour."""

    def __init__(self) -> None:
        self._outcomes: dict[tuple[str, str], deque[_Outcome]] = defaultdict(lambda: deque(maxlen=_KEPT))
        self._is_new = True

    def remember(self, records: Iterable[Record]) -> None:
        """The first time: what was before this process."""
        if not self._is_new:
            return
        self._is_new = False
        for record in sorted(records, key=lambda record: (record.wasted_at or record.phase_since, record.name)):
            if record.flavour and record.has_joined:
                self.joined(record.flavour, record.boot_s or 0.0, record.phase_since)
            elif record.flavour and record.wasted_at:
                self.wasted(record.flavour, record.wasted_at)

    def joined(self, flavour: Flavour, boot_s: float, now: datetime) -> None:
        """A machine has joined the pool so long after it was made."""
        self._outcomes[flavour.cloud, flavour.name].append(_Outcome(now, boot_s))

    def wasted(self, flavour: Flavour, now: datetime) -> None:
        """A machine was given up before it ever joined."""
        self._outcomes[flavour.cloud, flavour.name].append(_Outcome(now, None))

    def of(self, cloud: str) -> dict[str, TrackRecord]:
        """Of the flavours of which there is any."""
        return {name: _record(outcomes) for (where, name), outcomes in self._outcomes.items() if where == cloud}

    def trouble(self, cloud: str, flavour: str, now: datetime) -> str:
        """Why no more machines should be wasted on it now; "" when there is no reason."""
        until = self.retry_at(cloud, flavour)
        if until is None or now >= until:
            return ""
        return f"the last {_IN_A_ROW} machines of it never joined the pool; it is left alone for an hour"

    def wasted_in_a_row(self, cloud: str, flavour: str) -> int | None:
        """How many of the last machines never joined; None when there was none at all."""
        outcomes = self._outcomes.get((cloud, flavour))
        if not outcomes:
            return None
        in_a_row = itertools.takewhile(lambda outcome: outcome.boot_s is None, reversed(outcomes))
        return sum(1 for _ in in_a_row)

    def has_worked(self, cloud: str) -> bool:
        """Some machine there has joined the pool."""
        found = (outcomes for (where, _), outcomes in self._outcomes.items() if where == cloud)
        return any(outcome.boot_s is not None for outcomes in found for outcome in outcomes)

    def retry_at(self, cloud: str, flavour: str) -> datetime | None:
        """Until when it is left alone, or was; None when it had no such luck."""
        last = list(self._outcomes.get((cloud, flavour), ()))[-_IN_A_ROW:]
        if len(last) < _IN_A_ROW or any(outcome.boot_s is not None for outcome in last):
            return None
        return last[-1].at + _LEFT_ALONE


def _record(outcomes: deque[_Outcome]) -> TrackRecord:
    boots = sorted(outcome.boot_s for outcome in outcomes if outcome.boot_s is not None)
    return TrackRecord(joined=len(boots) / len(outcomes), boot_s=boots[len(boots) // 2] if boots else 0.0)
