"""Checkpoints of running jobs: each is an object of its own, and the job's record says which one counts.

A job asks where to put one, puts it there, and then says that it is the latest. Only in that moment, and in one step,
does it take the place of the one before; whatever broke off before that was never one.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from prominence.core import logs
from prominence.core.errors import Forbidden, NotFound, Rejected
from prominence.core.files import Sha256
from prominence.core.validation import Strict, parse
from prominence.restapi import areas, grants, ledger, space
from prominence.restapi.areas import Area, Kind
from prominence.restapi.data import Size
from prominence.restapi.grants import ADDRESS_S, Input
from prominence.restapi.ledger import JobRecord, SavedCheckpoint
from prominence.restapi.objects import Put, Reach, Terms
from prominence.restapi.ports import READ_INPUTS, WRITE_OUTPUTS
from prominence.restapi.services import Services

log = logs.get(__name__)


class WantedCheckpoint(Strict):
    """A checkpoint that a job wants to save."""

    size: Size = Field(description="Bytes, to which it is held.")
    sha256: Sha256 = Field(description="What the content must have.")


class LatestCheckpoint(Strict):
    """The one that is to count from now on."""

    name: str = Field(max_length=100, description="As the service has called it.")


def place(token: str, body: Any, services: Services) -> tuple[str, Put]:
    """What the next checkpoint is called, and where to put it. Raises Unauthenticated, Forbidden, Rejected, TooLarge,
    QuotaReached, Unavailable.

    One that was begun before and never became the latest is forgotten.
    """
    uid, record = _job(token, WRITE_OUTPUTS, services)
    wanted = parse(WantedCheckpoint, body)
    kept = [one for one in record.saved if one.name == record.latest]
    _delete(uid, [one for one in record.saved if one not in kept], services)
    name = services.new_uid()
    begun = SavedCheckpoint(name=name, size=wanted.size, sha256=wanted.sha256)
    largest = space.most(Area(Kind.USER, record.user), 0, wanted.size, services).largest
    ledger.save(uid, (*kept, begun), record.latest, services.store)
    terms = Terms(ADDRESS_S, largest, wanted.size, wanted.sha256)
    return name, services.objects.url_to_put(areas.checkpoint(uid, name), terms, Reach.WORKERS)


def accept(token: str, body: Any, services: Services) -> None:
    """It is the latest; the one before is forgotten. Repeating it is fine. Raises as above."""
    uid, record = _job(token, WRITE_OUTPUTS, services)
    name = parse(LatestCheckpoint, body).name
    saved = next((one for one in record.saved if one.name == name), None)
    stored = None if saved is None else services.objects.stat(areas.checkpoint(uid, name))
    if saved is None or stored is None or stored.size != saved.size or stored.sha256 not in (None, saved.sha256):
        raise Rejected.because("There is no such checkpoint, or it did not arrive as a whole.", "name")
    ledger.save(uid, (saved,), name, services.store)
    _delete(uid, [one for one in record.saved if one.name != name], services)
    log.info("checkpoint saved", uid=uid, name=name, size=saved.size)


def latest(token: str, services: Services) -> Input:
    """Where the job gets its latest. Raises as above, and NotFound when it has none."""
    uid, record = _job(token, READ_INPUTS, services)
    saved = next((one for one in record.saved if one.name == record.latest), None)
    if saved is None:
        raise NotFound("The job has no checkpoint yet.")
    url = services.objects.url_to_get(areas.checkpoint(uid, saved.name), ADDRESS_S, Reach.WORKERS)
    return Input(url, saved.size, saved.sha256)


def _job(token: str, scope: str, services: Services) -> tuple[str, JobRecord]:
    uid, record = grants.running_job(token, scope, services)
    if not record.checkpoints:
        raise Forbidden("The job was not to save checkpoints.")
    return uid, record


def _delete(uid: str, saved: list[SavedCheckpoint], services: Services) -> None:
    for one in saved:
        services.objects.delete(areas.checkpoint(uid, one.name))
