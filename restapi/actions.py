"""What users do to their jobs."""

from __future__ import annotations

from collections.abc import Sequence

from prominence.core import logs
from prominence.core.errors import NotFound
from prominence.core.verdict import DELETED_BY_USER
from prominence.restapi.identity import Identity
from prominence.restapi.selection import Selection
from prominence.restapi.services import Services

log = logs.get(__name__)


def delete(job_ids: Sequence[int], caller: Identity, services: Services) -> None:
    """Take the caller's jobs out of the queue, ending those that run. Raises NotFound when none of them is there."""
    removed = services.queue.remove(Selection(user=caller.user, ids=tuple(job_ids)), DELETED_BY_USER)
    log.info("jobs deleted", jobs=list(job_ids), removed=removed, user=caller.user)
    if not removed:
        names = ", ".join(map(str, job_ids))
        raise NotFound(f"There is no job {names} in the queue." if len(job_ids) == 1 else f"None of {names} is queued.")
