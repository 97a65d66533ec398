"""Wait for a job to change, or to have written more, instead of asking again and again."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from prominence.core.errors import NotFound
from prominence.core.jobid import JobId
from prominence.core.states import ENDED
from prominence.restapi import plans, query
from prominence.restapi.identity import Account, Act, Identity, may
from prominence.restapi.paging import Page
from prominence.restapi.parameters.jobs import DescribeParameters
from prominence.restapi.ports import Unusable
from prominence.restapi.presentation import version
from prominence.restapi.selection import Selection
from prominence.restapi.services import Services
from prominence.restapi.translate.submit import STDERR, STDOUT
from prominence.restapi.watching import Seen, Ticket, Watcher

LOOK_S = 0.25
"""How soon new output is seen."""

_PLACES = 10_000


@dataclass(frozen=True)
class Described:
    """The job alone in a list, or none. version: changes with it; "" when there is none.

    is_news: whether anything is different from what the caller had seen.
    """

    jobs: list[dict[str, Any]]
    version: str
    is_news: bool = True


class Follower:
    """For all who wait for news in this process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._watcher = Watcher(
            look=lambda job_ids: looks(job_ids, services),
            pulse=lambda: (services.queue.pulse(), plans.explanations(services)),
            most=services.most_waiting,
        )
        # Whose a job is, and where its files are, never changes.
        self._place_of = lru_cache(maxsize=_PLACES)(self._find_place)

    def describe(self, job_id: JobId, asked: DescribeParameters, seen: str, caller: Identity) -> Described:
        """The job: at once where it is not as the caller has seen it, else when it changes, has written more, or the
        time is over. seen: the version that the caller knows; "" for none.
        """
        if seen and asked.wait:
            with self._watcher.ticket(job_id, seen) as ticket:
                if ticket is not None and not self._is_news(ticket, asked, caller):
                    return Described([], seen, is_news=False)
        job = query.find(job_id, self._services, detail=True)
        jobs = query.tell(job, caller, self._services)
        if job is None or not jobs:
            return Described([], "")
        now = version(job)
        return Described(jobs, now, is_news=now != seen or self._wrote(job_id, asked, caller))

    def _is_news(self, ticket: Ticket, asked: DescribeParameters, caller: Identity) -> bool:
        """Whether anything happens before the time is over."""
        deadline = time.monotonic() + asked.wait
        look_s = LOOK_S if asked.reads else float(asked.wait)
        while not self._wrote(ticket.job_id, asked, caller):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if ticket.changed.wait(min(left, look_s)):
                return True
        return True

    def _wrote(self, job_id: int, asked: DescribeParameters, caller: Identity) -> bool:
        """Whether a stream is longer than the caller knows, or shorter: then another attempt has begun."""
        if not asked.reads:
            return False
        uid, owner = self._place_of(job_id)
        if may(caller, Act.READ, owner) is None:
            return False
        known = ((STDOUT, asked.stdout), (STDERR, asked.stderr))
        sizes = ((self._size(uid, name), offset) for name, offset in known if offset is not None)
        return any(size not in (None, offset) for size, offset in sizes)

    def _size(self, uid: str, name: str) -> int | None:
        try:
            file = self._services.sandboxes.open(uid, name)
        except Unusable:
            return None
        if file is None:
            return None
        with file:
            return file.seek(0, os.SEEK_END)

    def _find_place(self, job_id: int) -> tuple[str, Account]:
        job = query.find(job_id, self._services)
        if job is None:
            raise NotFound(f"There is no job {job_id}.")
        return job.uid, job.owner


def looks(job_ids: Collection[int], services: Services) -> dict[int, Seen]:
    """Of many jobs at once, wherever they are."""
    some = Selection(ids=tuple(sorted(job_ids)))
    jobs = query.look_at(services.queue.find(some), services)
    gone = tuple(sorted(set(job_ids) - {job.job_id for job in jobs}))
    if gone:
        left = services.archive.find(Selection(ids=gone), None, Page())
        specs = query.specs_of(services)
        jobs += [query.of_finished(one, specs) for one in left]
    return {job.job_id: Seen(version(job), job.view.status in ENDED) for job in jobs}
