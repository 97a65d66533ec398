"""Which of the jobs and workflows have ended of whose ends somebody is to be told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

from prominence.core import classads
from prominence.core.states import JobStatus
from prominence.core.view import JobAd, JobView
from prominence.core.workflow_view import workflow_view
from prominence.restapi.outbox.waiting import Waiting, about, uid_of
from prominence.restapi.query import look_at
from prominence.restapi.selection import Kind, Selection
from prominence.restapi.services import Services

W = TypeVar("W", bound=Waiting)

_PERHAPS_ENDED = (JobStatus.COMPLETED, JobStatus.REMOVED, JobStatus.HELD)


def ended(letters: Mapping[str, W], due: Collection[str], services: Services) -> Iterator[tuple[str, JobAd, JobView]]:
    """Those of the letters that are due whose jobs have ended, or perhaps have, by their keys. Raises Unavailable.

    The same job may come twice: from the queue and from the archive.
    """
    by_uid: defaultdict[str, dict[str, W]] = defaultdict(dict)
    for key, letter in letters.items():
        by_uid[uid_of(key)][key] = letter
    for ad, job in _found({uid_of(key) for key in due}, services) if due else ():
        found = about(int(ad[classads.CLUSTER_ID]), by_uid[str(ad[classads.JOB_UID])])
        if found is not None and found in due:
            yield found, ad, job


def _found(uids: Collection[str], services: Services) -> Iterator[tuple[JobAd, JobView]]:
    """They may still be in the queue, or be held there."""
    ads = services.queue.find(Selection(statuses=_PERHAPS_ENDED))
    for queued in look_at([ad for ad in ads if ad[classads.JOB_UID] in uids], services, detail=True):
        yield queued.ad, queued.view
    for ad in services.queue.find(Selection(statuses=_PERHAPS_ENDED, kinds=(Kind.WORKFLOW,))):
        if ad[classads.JOB_UID] in uids:
            yield ad, workflow_view(ad)
    for left in services.archive.left(uids):
        yield left.ad, left.view
