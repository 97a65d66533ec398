"""What callers may wish of a worker, and in which order.

A wish goes from present over drained to absent, and back from drained to present; absent is final. A caller that
no longer leads its kind is known by its fence, which is lower than the highest seen.
"""

from __future__ import annotations

from datetime import datetime

from prominence.core.errors import Conflict, NotFound
from prominence.core.machines import Wish, WorkerRequest
from prominence.imc.records import Record, Records


def ask(records: Records, name: str, request: WorkerRequest, now: datetime, order: str = "") -> tuple[Record, bool]:
    """Make `request` what is wished of worker `name`; True when the worker is new. Repeating it changes nothing.

    order: the id of the request that came with it.

    Raises Conflict when the fence is old or the request cannot follow the one that stands.
    """
    records.raise_fence(request.fence)
    while True:
        changed = records.update(name, lambda record: _asked(record, request))
        if changed is not None:
            return changed, False
        record = Record(
            name=name, request=request, requested_at=now, phase_since=now, reason=request.reason, order=order
        )
        if records.add(record):
            return record, True


def remove(records: Records, name: str, reason: str) -> Record:
    """Wish the worker absent, whoever asks. Raises NotFound when there is none of this name."""
    changed = records.update(name, lambda record: _wished(record, Wish.ABSENT, reason))
    if changed is None:
        raise NotFound(f"There is no worker {name}.")
    return changed


def drain(records: Records, name: str, reason: str) -> Record:
    """Wish that it takes no new jobs, whoever asks. Raises NotFound when there is none of this name."""
    changed = records.update(name, lambda record: _wished(record, Wish.DRAINED, reason))
    if changed is None:
        raise NotFound(f"There is no worker {name}.")
    return changed


def forget(records: Records, name: str) -> None:
    """Drop the record of a worker that has ended. Raises NotFound, and Conflict when it has not ended."""
    record = records.get(name)
    if record is None:
        raise NotFound(f"There is no worker {name}.")
    if not record.phase.is_over:
        raise Conflict(f"Worker {name} is {record.phase} and not over; drain or delete it first.")
    records.forget(name)


def _asked(record: Record, request: WorkerRequest) -> Record:
    old = record.request
    if request.fence < old.fence:
        raise Conflict(f"The fence {request.fence} is older than {old.fence}: somebody else leads now.")
    if request.size != old.size:
        raise Conflict(f"Worker {record.name} was asked for with another size; a new size needs a new name.")
    if old.wish is Wish.ABSENT and request.wish is not Wish.ABSENT:
        raise Conflict(f"Worker {record.name} is being removed for good; ask for one of another name.")
    if record.phase.is_over and request.wish is not Wish.ABSENT and request.wish is not old.wish:
        raise Conflict(f"Worker {record.name} has ended ({record.reason}); ask for one of another name.")
    return record.model_copy(update={"request": request})


def _wished(record: Record, wish: Wish, reason: str) -> Record:
    """Nearer to its end, or as it is."""
    if record.request.wish is not Wish.PRESENT and record.request.wish in (wish, Wish.ABSENT):
        return record
    request = record.request.model_copy(update={"wish": wish, "reason": reason})
    return record.model_copy(update={"request": request})
