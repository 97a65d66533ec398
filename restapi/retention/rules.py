"""What has had its time. Pure: what was seen in, what is to be taken away out.

What belongs to a job stays while the job is in the queue, however old it is. What could not be looked at is unknown,
and nothing is taken away on account of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from prominence.restapi.areas import OF_JOBS
from prominence.restapi.ledger import JobRecord
from prominence.restapi.limits import Limits
from prominence.restapi.members import whole
from prominence.restapi.objects import Stored
from prominence.restapi.outbox.waiting import uid_of

TIME_TO_QUEUE = timedelta(days=1)
"""Within which a job has its files and is queued, once its letter has been written."""


@dataclass(frozen=True)
class Seen:
    """All there is. Jobs are named by uid, all members of an array by that of the array; None: could not be looked at.

    outputs: objects of jobs. records: what jobs may do, members each by their own uid. letters: to users who want to be
    told of a job's end, by their keys, and when each was written. sandboxes: when each last changed. queued: jobs in
    the queue.
    """

    uploads: Sequence[Stored] | None = ()
    outputs: Sequence[Stored] | None = ()
    records: Mapping[str, JobRecord] | None = None
    letters: Mapping[str, datetime] | None = None
    sandboxes: Mapping[str, datetime] | None = None
    queued: frozenset[str] | None = frozenset()


@dataclass(frozen=True)
class Cleaning:
    """What to take away: objects by name, letters by key; records and sandboxes of jobs by uid."""

    objects: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    sandboxes: tuple[str, ...] = ()
    letters: tuple[str, ...] = ()


def clean(seen: Seen, limits: Limits, now: datetime) -> Cleaning:
    """What has had its time."""
    uploads = [one.name for one in seen.uploads or () if has_had_its_time(one, limits, now)]
    if seen.queued is None:
        return Cleaning(tuple(uploads))
    outputs = _by_job(seen.outputs or ())
    over = {
        uid
        for uid, objects in outputs.items()
        if uid not in seen.queued and max(one.modified_at for one in objects) + limits.outputs_kept <= now
    }
    return Cleaning(
        objects=(*uploads, *(one.name for uid in sorted(over) for one in outputs[uid])),
        records=tuple(sorted(_records(seen, frozenset(outputs), over, limits, now))),
        sandboxes=tuple(
            uid
            for uid, changed_at in sorted((seen.sandboxes or {}).items())
            if uid not in seen.queued and changed_at + limits.jobs_kept <= now
        ),
        letters=tuple(sorted(_letters(seen, now))),
    )


def has_had_its_time(stored: Stored, limits: Limits, now: datetime) -> bool:
    """An upload; an output of a job, whatever else of that is kept."""
    kept = limits.outputs_kept if stored.name.partition("/")[0] in OF_JOBS else limits.uploads_kept
    return stored.modified_at + kept <= now


def _records(seen: Seen, with_outputs: frozenset[str], over: set[str], limits: Limits, now: datetime) -> list[str]:
    """Of jobs that are over and have nothing left that counts. One that is about to be queued has time for it."""
    if seen.records is None or seen.outputs is None or seen.queued is None:
        return []
    return [
        uid
        for uid, record in seen.records.items()
        if (all_of_it := whole(uid)) in over
        or (
            all_of_it not in seen.queued
            and all_of_it not in with_outputs
            and record.made_at + limits.outputs_kept <= now
        )
    ]


def _letters(seen: Seen, now: datetime) -> list[str]:
    """Of jobs of which nothing else is left, or that never came to be. Others are sent or given up in time."""
    if seen.letters is None or seen.sandboxes is None or seen.queued is None:
        return []
    return [
        key
        for key, written_at in seen.letters.items()
        if (job := whole(uid_of(key))) not in seen.queued
        and job not in seen.sandboxes
        and written_at + TIME_TO_QUEUE <= now
    ]


def _by_job(outputs: Sequence[Stored]) -> dict[str, list[Stored]]:
    """Objects of jobs, such as scratch/UID/out.txt."""
    found: dict[str, list[Stored]] = defaultdict(list)
    for one in outputs:
        parts = one.name.split("/")
        if len(parts) > 2:
            found[parts[1]].append(one)
    return found
