"""Look at all there is, decide what has had its time, take it away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from prominence.core import classads, logs
from prominence.core.errors import Unavailable
from prominence.restapi import ledger
from prominence.restapi.areas import OF_JOBS, Kind
from prominence.restapi.mail import outbox
from prominence.restapi.members import whole
from prominence.restapi.outbox.shelf import Shelf
from prominence.restapi.outbox.waiting import Waiting
from prominence.restapi.retention.charges import corrected
from prominence.restapi.retention.rules import Cleaning, Seen, clean, has_had_its_time
from prominence.restapi.selection import EVERY_KIND, Selection
from prominence.restapi.services import Services
from prominence.restapi.webhooks import shelves

log = logs.get(__name__)

T = TypeVar("T")

_LETTERS: tuple[Shelf[Waiting], ...] = (outbox.LETTERS, shelves.LETTERS)  # type: ignore[assignment]  # only read
"""Of those who wait for jobs' ends."""

BROKEN_OFF_AFTER = timedelta(days=1)
"""An upload of which nothing has come for so long will not be finished."""


def look(services: Services) -> Seen:
    """What there is. Objects before the queue: whatever a job writes meanwhile belongs to a job that is seen there."""
    return Seen(
        uploads=_try("uploads", lambda: [one for kind in Kind for one in services.objects.list(kind.value)]),
        outputs=_try("outputs", lambda: [one for kind in OF_JOBS for one in services.objects.list(kind)]),
        records=_try("records", lambda: ledger.records(services.store)),
        letters=_try("letters", lambda: _written(services)),
        sandboxes=_try("sandboxes", services.sandboxes.last_changes),
        queued=_try("queue", lambda: _queued(services)),
    )


def plan(services: Services) -> Cleaning:
    """What would be taken away now."""
    return clean(look(services), services.limits, services.clock())


def sweep(services: Services) -> Cleaning:
    """Take away what has had its time; what it was. What stays is charged for as it is."""
    seen = look(services)
    cleaning = clean(seen, services.limits, services.clock())
    for uid, name, size in corrected(seen):
        with _going_on("charge", uid, "corrected"):
            ledger.charge(uid, name, size, services.store)
    for name in cleaning.objects:
        with _going_on("object", name):
            _take_object(name, services)
    for uid in cleaning.records:
        with _going_on("record", uid):
            ledger.close_record(uid, services.store)
    for uid in cleaning.letters:
        with _going_on("letter", uid):
            for shelf in _LETTERS:
                shelf.take_away(uid, services.store)
    for uid in cleaning.sandboxes:
        with _going_on("sandbox", uid):
            services.sandboxes.discard(uid)
    if services.served is not None:
        with _going_on("uploads that broke off", ""):
            services.served.tidy(services.clock() - BROKEN_OFF_AFTER)
    log.info("swept", **_counts(cleaning))
    return cleaning


def _take_object(name: str, services: Services) -> None:
    """Unless it has been written anew since it was looked at. Raises Unavailable."""
    stored = services.objects.stat(name)
    if stored is not None and not has_had_its_time(stored, services.limits, services.clock()):
        raise Unavailable("It was written anew in this moment.")
    services.objects.delete(name)


def _written(services: Services) -> dict[str, datetime]:
    """When each letter was; of two with one key the later."""
    found: dict[str, datetime] = {}
    for shelf in _LETTERS:
        for key, letter in shelf.all(services.store).items():
            found[key] = max(letter.made_at, found.get(key, letter.made_at))
    return found


def _queued(services: Services) -> frozenset[str]:
    found = services.queue.find(Selection(kinds=EVERY_KIND))
    return frozenset(whole(str(ad[classads.JOB_UID])) for ad in found)


def _counts(cleaning: Cleaning) -> dict[str, int]:
    return {
        "objects": len(cleaning.objects),
        "records": len(cleaning.records),
        "letters": len(cleaning.letters),
        "sandboxes": len(cleaning.sandboxes),
    }


def _try(what: str, look_at: Callable[[], T]) -> T | None:
    try:
        return look_at()
    except Unavailable as error:
        log.warning("cannot be looked at", what=what, error=str(error))
        return None


@contextmanager
def _going_on(kind: str, name: str, done: str = "taken away") -> Iterator[None]:
    """What cannot be done now is done the next time."""
    try:
        yield
    except Unavailable as error:
        log.warning(f"cannot be {done} now", kind=kind, name=name, error=str(error))
    else:
        log.info(done, kind=kind, name=name)
