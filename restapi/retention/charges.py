"""What jobs are charged for their outputs, beside what is there of these. Pure.

A job says how large an output will be before it sends it, or does not know; then it sends less, or nothing. And
whoever has its token may say what they like: what counts in the end is what the store has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from prominence.restapi import areas
from prominence.restapi.members import whole
from prominence.restapi.retention.rules import Seen


class Charge(NamedTuple):
    """Of a job, by its uid, for one of its outputs, as the job calls it: bytes."""

    uid: str
    name: str
    size: int


def corrected(seen: Seen) -> Iterator[Charge]:
    """Those that are less than what is there; of jobs that have left the queue those that are more, too.

    As long as a job runs, what it is charged for may still be under way.
    """
    if seen.outputs is None or seen.records is None:
        return
    sizes = {one.name: one.size for one in seen.outputs}
    for uid, record in seen.records.items():
        is_over = seen.queued is not None and whole(uid) not in seen.queued
        for name, charged in record.written.items():
            size = sizes.get(f"{areas.outputs(uid)}/{name}", 0)
            if size > charged or (is_over and size < charged):
                yield Charge(uid, name, size)
