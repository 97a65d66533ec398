"""Adjustments of budgets, in the shared store: entries that are only ever added, each with who made it, when and why.

An entry counts in the budget in whose time it was made. It is found by the key that its request came with, so that a
request that is repeated adds nothing.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from pydantic import AwareDatetime

from prominence.core.errors import Conflict
from prominence.core.keyvalue.port import ABSENT, Entry, KeyValue
from prominence.core.validation import Document
from prominence.restapi.usage import Period

_ADJUSTMENTS = "/prominence/budgets/adjustments"


class Adjustment(Document):
    """So many service units (times milliseconds) more, or less."""

    units_ms: int
    at: AwareDatetime
    by: str
    why: str


def add(group: str, key: str, entry: Adjustment, store: KeyValue) -> Adjustment:
    """Add it; as it is in the books. Raises Conflict where the same person's request with this key said something else.

    Raises Unavailable: then it may be there.
    """
    place = f"{_of(group)}{hashlib.sha256(f'{len(entry.by)}:{entry.by}{key}'.encode()).hexdigest()}"
    try:
        store.put_if(place, entry.model_dump_json().encode(), expected=ABSENT)
    except Conflict:
        known = store.get(place)
        if known is None:
            raise
        there = _adjustment(known)
        if (there.units_ms, there.why) != (entry.units_ms, entry.why):
            raise Conflict("Another adjustment came with this key before; take a new one.") from None
        return there
    return entry


def adjustments(group: str, store: KeyValue) -> list[Adjustment]:
    """All there are of this group, the oldest first. Raises Unavailable."""
    return sorted(map(_adjustment, store.list(_of(group))), key=lambda one: one.at)


def adjusted_ms(group: str, period: Period, store: KeyValue) -> int:
    """The sum of those that were made within the period. Raises Unavailable."""
    return sum(one.units_ms for one in adjustments(group, store) if period.since <= one.at.timestamp() < period.until)


def _of(group: str) -> str:
    return f"{_ADJUSTMENTS}/{quote(group, safe='')}/"


def _adjustment(entry: Entry) -> Adjustment:
    return Adjustment.model_validate_json(entry.value)
