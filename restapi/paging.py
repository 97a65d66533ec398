"""A list in pieces: in which order, how many, and from where to go on. Pure.

Jobs are ordered by something that does not change, and by their ids where that is the same. A cursor names the place
of the last job that was seen: what comes or goes meanwhile makes no other job appear twice or be left out.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from prominence.core import classads
from prominence.core.errors import Rejected
from prominence.core.jobid import JobId
from prominence.core.validation import SURROGATE
from prominence.core.view import JobAd, ended_at, moment

Item = TypeVar("Item")
Place = tuple[int | str, int]
"""Where a job stands: the value that it is ordered by, and its id."""

_LARGEST = 2**63 - 1
_NOT_OURS = "is not one that this service gave out; leave it out to begin anew"


class Key(StrEnum):
    """What jobs can be ordered by."""

    ID = "id"
    CREATED = "createTime"
    ENDED = "endTime"
    NAME = "name"


_OF_AN_ID = (classads.CLUSTER_ID, classads.ARRAY_INDEX)
_ATTRIBUTES = {
    Key.ID: _OF_AN_ID,
    Key.CREATED: (*_OF_AN_ID, classads.SUBMITTED_AT),
    Key.ENDED: (*_OF_AN_ID, classads.FINISHED_AT, classads.ENTERED_STATUS_AT),
    Key.NAME: (*_OF_AN_ID, classads.JOB_NAME),
}


@dataclass(frozen=True)
class Order:
    """By what, and whether the greatest comes first."""

    key: Key = Key.ID
    descending: bool = False

    def __str__(self) -> str:
        return f"-{self.key}" if self.descending else self.key.value

    @property
    def attributes(self) -> tuple[str, ...]:
        """What must be known of an ad to tell its place."""
        return _ATTRIBUTES[self.key]

    def place(self, ad: JobAd) -> Place:
        """Where the job stands."""
        job_id = JobId.of(ad)
        match self.key:
            case Key.ID:
                return job_id, job_id
            case Key.CREATED:
                return moment(ad, classads.SUBMITTED_AT) or 0, job_id
            case Key.ENDED:
                return ended_at(ad) or 0, job_id
            case Key.NAME:
                return str(ad.get(classads.JOB_NAME, "")), job_id


@dataclass(frozen=True)
class Page:
    """At most `limit` jobs (None: all of them) in this order, behind the place `after`."""

    order: Order = Order()
    limit: int | None = None
    after: Place | None = None

    def unlimited(self) -> Page:
        """All that comes behind the place."""
        return replace(self, limit=None)

    def with_one_more(self) -> Page:
        """To see whether there is another page."""
        return self if self.limit is None else replace(self, limit=self.limit + 1)

    def of(self, items: Iterable[Item], place: Callable[[Item], Place]) -> list[Item]:
        """Those of the items that belong on this page."""
        placed = [(place(item), item) for item in items]
        behind = [one for one in placed if self._is_behind(one[0])]
        behind.sort(key=lambda one: one[0], reverse=self.order.descending)
        return [item for _, item in behind[: self.limit]]

    def _is_behind(self, place: Place) -> bool:
        if self.after is None:
            return True
        return place < self.after if self.order.descending else place > self.after


def cursor(order: Order, last: Place) -> str:
    """Behind this place, for the next request."""
    text = json.dumps([str(order), *last], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(text: str) -> tuple[Order, Place]:
    """What `cursor` wrote. Raises Rejected for everything else."""
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        match json.loads(content):
            case [str(word), int(value) | str(value), int(job_id)] if _is_one(word, value, job_id):
                return read_order(word), (value, job_id)
    except (binascii.Error, ValueError, RecursionError):  # of which UnicodeError and JSONDecodeError are kinds
        pass
    raise Rejected.because(_NOT_OURS, "cursor")


def read_order(word: str) -> Order:
    """Of "id", "-id" and so on. Raises ValueError."""
    return Order(Key(word.removeprefix("-")), word.startswith("-"))


def _is_one(word: str, value: int | str, job_id: int) -> bool:
    if isinstance(value, str) and SURROGATE.search(value):
        return False
    kind = str if word.removeprefix("-") == Key.NAME else int
    numbers = [number for number in (value, job_id) if isinstance(number, int)]
    return type(value) is kind and type(job_id) is int and all(0 <= number <= _LARGEST for number in numbers)
