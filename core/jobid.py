"""The id of a job as one whole number, whether it is one of its own or a member of an array. Pure.

HTCondor counts clusters, and within each its processes. A job of its own is a cluster of one and is called by the
cluster's number, also where it has several nodes, of which the others have numbers that nobody is told; an array is a
cluster of many, whose members are called by both numbers: 17.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

from prominence.core import classads
from prominence.core.job import MOST_MEMBERS

LAST_CLUSTER = 2**31 - 1
"""HTCondor counts its clusters in 32 bits."""

LAST_INDEX = MOST_MEMBERS - 1
"""Of a member."""

_BITS = 31
_SPELLED = re.compile(r"([0-9]{1,10})(?:\.(0|[1-9][0-9]{0,5}))?")


class JobId(int):
    """The cluster's number, and above it, for a member, one more than its place in the array.

    So it is a number wherever ids are kept, ordered and compared, and is read as people write it.
    """

    @classmethod
    def member(cls, array: int, index: int) -> Self:
        """Of an array, counted from 0."""
        return cls(array + ((index + 1) << _BITS))

    @classmethod
    def of(cls, ad: Mapping[str, Any]) -> Self:
        """Of a job's ad."""
        cluster, index = int(ad[classads.CLUSTER_ID]), ad.get(classads.ARRAY_INDEX, ad.get(classads.NODE) or None)
        return cls(cluster) if index is None else cls.member(cluster, int(index))

    @classmethod
    def parse(cls, text: str) -> Self:
        """As people write it. Raises ValueError."""
        found = _SPELLED.fullmatch(text)
        if found is None or not 0 < int(found[1]) <= LAST_CLUSTER:
            raise ValueError(f"{text!r} is not the id of a job")
        return cls(found[1]) if found[2] is None else cls.member(int(found[1]), int(found[2]))

    @property
    def cluster(self) -> int:
        """HTCondor's number; of a member, the id of its array."""
        return int(self) & LAST_CLUSTER

    @property
    def index(self) -> int | None:
        """A member's place in its array; None for a job of its own."""
        return (int(self) >> _BITS) - 1 if int(self) > LAST_CLUSTER else None

    @property
    def shown(self) -> int | str:
        """As JSON has it: a number for a job of its own, a text for a member."""
        return self.cluster if self.index is None else str(self)

    def __str__(self) -> str:
        return str(self.cluster) if self.index is None else f"{self.cluster}.{self.index}"

    def __repr__(self) -> str:
        return f"JobId({str(self)!r})"
