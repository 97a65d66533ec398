"""Copies of what is in a running job's home: one for each job, kept as long as its outputs."""

from __future__ import annotations

from prominence.core.errors import NotFound
from prominence.core.jobid import JobId
from prominence.core.orders import Order, Verb
from prominence.restapi import areas, ledger, query, space
from prominence.restapi.areas import Area, Kind
from prominence.restapi.commands import LIMIT_S, running
from prominence.restapi.identity import Act, Identity, may
from prominence.restapi.ledger import JobRecord
from prominence.restapi.objects import Reach, Terms
from prominence.restapi.presentation import Job
from prominence.restapi.services import Services

FILE = "snapshot.tgz"
PUT_S, GET_S = 1000, 3600
"""For so long an address is good, to send one and to fetch it."""


def take(job_id: JobId, path: str, caller: Identity, services: Services) -> None:
    """Copy a file or directory of the job's home, in place of the copy before.

    Raises NotFound; Conflict where no task is running or there is no such file; QuotaReached; Unavailable; TooMany.
    """
    job = running(job_id, caller, services)
    stored_as = _name(job.uid)
    before = services.objects.stat(stored_as)
    size = 0 if before is None else before.size
    most = space.most(Area(Kind.USER, job.owner.user), size, None, services).largest
    _charge(job, size, services)
    where = services.objects.url_to_put(stored_as, Terms(PUT_S, most), Reach.WORKERS)
    order = Order(Verb.SNAPSHOT, 0, (), LIMIT_S, path=path, url=where.url, headers=dict(where.headers), most=most)
    services.desk.give(job, order)


def address(job_id: JobId, caller: Identity, services: Services) -> str:
    """Where the last copy is to be had. Raises NotFound, Unavailable."""
    job = query.find(job_id, services)
    if job is None or may(caller, Act.ENTER, job.owner) is None:
        raise NotFound(f"There is no job {job_id}.")
    stored_as = _name(job.uid)
    if services.objects.stat(stored_as) is None:
        raise NotFound(f"There is no snapshot of job {job_id}.")
    return services.objects.url_to_get(stored_as, GET_S, Reach.USERS)


def _charge(job: Job, size: int, services: Services) -> None:
    """How large the new one will be nobody knows: it is charged for as the old one is, until it is looked at."""
    if ledger.find(job.uid, services.store) is None:
        record = JobRecord(user=job.owner.user, made_at=services.clock())
        ledger.open_record(job.uid, record, services.store)
    ledger.charge(job.uid, f".{FILE}", size, services.store)


def _name(uid: str) -> str:
    return f"{areas.outputs(uid)}/.{FILE}"
