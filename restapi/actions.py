"""What users do to their jobs, and those who look after others' jobs to these."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from prominence.core import classads, document, logs, plan
from prominence.core.errors import Conflict, NotFound
from prominence.core.states import ENDED, HELD_BY_OPERATOR, HELD_BY_USER, JobStatus
from prominence.core.verdict import DELETED_BY_OPERATOR, DELETED_BY_USER
from prominence.restapi import audit, changes, submission
from prominence.restapi.files import SPEC_FILE, spec_of, whole
from prominence.restapi.identity import Act, Identity, Role, may
from prominence.restapi.presentation import Job
from prominence.restapi.query import find, look_at
from prominence.restapi.selection import Selection
from prominence.restapi.services import Services
from prominence.restapi.translate.plan import plan as plan_of

log = logs.get(__name__)

_ON_WORKERS = (JobStatus.RUNNING, JobStatus.TRANSFERRING_OUTPUT, JobStatus.SUSPENDED)
_HELD_BY_USER = ("held by the user", HELD_BY_USER)
_HELD_BY_OPERATOR = ("held by an operator", HELD_BY_OPERATOR)
_ALIVE = (JobStatus.IDLE, *_ON_WORKERS)


def delete(job_ids: Sequence[int], caller: Identity, services: Services) -> None:
    """Take jobs out of the queue, ending those that run. Raises NotFound when none of them is there."""
    allowed = {
        job.job_id: role
        for job in look_at(services.queue.find(Selection(ids=tuple(job_ids))), services)
        if (role := may(caller, Act.REMOVE, job.owner)) is not None
    }
    removed = 0
    for reason, own in ((DELETED_BY_USER, True), (DELETED_BY_OPERATOR, False)):
        ids = tuple(job_id for job_id, role in allowed.items() if (role is Role.OWNER) == own)
        removed += services.queue.remove(Selection(ids=ids), reason) if ids else 0
        if ids and not own:
            audit.record("delete jobs", caller, jobs=list(ids))
    log.info("jobs deleted", jobs=list(job_ids), removed=removed, user=caller.user)
    if not removed:
        names = ", ".join(map(str, job_ids))
        raise NotFound(f"There is no job {names} in the queue." if len(job_ids) == 1 else f"None of {names} is queued.")


def dismiss(job_id: int, caller: Identity, services: Services) -> None:
    """Take a job that has ended out of the queue. Raises NotFound; Conflict where it has not ended."""
    job, _ = _queued(job_id, Act.REMOVE, "remove job", caller, services)
    if job.view.status not in ENDED:
        raise Conflict(f"Job {job_id} has not ended ({job.view.status}); delete it to end it.")
    services.queue.remove(Selection(ids=(job_id,)), DELETED_BY_USER)


def hold(job_id: int, caller: Identity, services: Services) -> None:
    """Let a job not start; if it runs, it begins anew when it is released. Raises NotFound; Conflict."""
    job, role = _queued(job_id, Act.CHANGE, "hold job", caller, services)
    reason, subcode = _HELD_BY_USER if role is Role.OWNER else _HELD_BY_OPERATOR
    if not services.queue.hold(Selection(ids=(job_id,), statuses=_ALIVE), reason, subcode):
        raise Conflict(f"Job {job_id} cannot be put on hold: it is {_state(job)}.")
    log.info("job held", job=job_id, user=caller.user)


def release(job_id: int, caller: Identity, services: Services) -> None:
    """Let a job start again that is on hold. Raises NotFound; Conflict."""
    job, role = _queued(job_id, Act.CHANGE, "release job", caller, services)
    if job.ad[classads.JOB_STATUS] != JobStatus.HELD:
        raise Conflict(f"Job {job_id} is not on hold: it is {_state(job)}.")
    if job.view.status in ENDED:
        raise Conflict(f"Job {job_id} has {job.view.status} and cannot go on; clone it to run it again.")
    if role is Role.OWNER and job.ad.get(classads.HOLD_REASON_SUBCODE) == HELD_BY_OPERATOR:
        raise Conflict(f"Job {job_id} was put on hold by an operator, who alone can release it.")
    services.queue.release(Selection(ids=(job_id,), statuses=(JobStatus.HELD,)))
    log.info("job released", job=job_id, user=caller.user)


def edit(job_id: int, body: Any, caller: Identity, services: Services) -> None:
    """Change what may change of a job that waits. Raises Rejected; NotFound; Conflict.

    Its files first: what starts from now on is as it is to be. Who repeats the request after a crash mends the rest.
    """
    job, _ = _queued(job_id, Act.CHANGE, "edit job", caller, services)
    old = spec_of(job.uid, services.sandboxes)
    if old is None:
        raise NotFound(f"The description of job {job_id} cannot be read.")
    new = changes.changed(old, body)
    attributes = changes.edits(old, new, job.uid, job.owner, services.site)
    waits = Selection(ids=(job_id,), statuses=(JobStatus.IDLE, JobStatus.HELD))
    if job.view.status in ENDED or not services.queue.find(waits):
        raise Conflict(f"Job {job_id} cannot be changed any more: it is {_state(job)}.")
    orders = plan_of(whole(new, job.uid, services.sandboxes), job.uid, services.site)
    services.sandboxes.replace(job.uid, plan.FILE_NAME, document.dumps(orders))
    services.sandboxes.replace(job.uid, SPEC_FILE, new.model_dump_json(exclude_none=True))
    services.queue.edit(waits, attributes)
    log.info("job edited", job=job_id, user=caller.user, attributes=sorted(attributes))


def clone(job_id: int, caller: Identity, services: Services) -> int:
    """Submit a job once more, whether it has ended or not; the new one's id. Raises NotFound; Rejected."""
    job = find(job_id, services, detail=True)
    if job is None or may(caller, Act.READ, job.owner) is None:
        raise NotFound(f"There is no job {job_id}.")
    if job.spec is None:
        raise NotFound(f"The description of job {job_id} is no longer kept.")
    spec = whole(job.spec, job.uid, services.sandboxes)
    return submission.submit(json.loads(spec.model_dump_json(exclude_none=True)), caller, services)


def _queued(job_id: int, act: Act, word: str, caller: Identity, services: Services) -> tuple[Job, Role]:
    """A job in the queue, and as what the caller acts on it. Another user's is not there for them."""
    found = look_at(services.queue.find(Selection(ids=(job_id,))), services)
    role = may(caller, act, found[0].owner) if found else None
    if role is None:
        raise NotFound(f"There is no job {job_id} in the queue.")
    job = found[0]
    if role is not Role.OWNER:
        audit.record(word, caller, job=job_id, user=job.owner.user, role=role)
    return job, role


def _state(job: Job) -> str:
    on_hold = job.ad[classads.JOB_STATUS] == JobStatus.HELD and job.view.status not in ENDED
    return "on hold" if on_hold else job.view.status.value
