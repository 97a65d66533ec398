"""What users do to their jobs, and those who look after others' jobs to these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prominence.core import classads, logs, plan
from prominence.core.errors import Conflict, NotFound
from prominence.core.job import JobSpec
from prominence.core.jobid import JobId
from prominence.core.orders import Order, Verb
from prominence.core.states import ENDED, HELD_BY_OPERATOR, HELD_BY_USER, HELD_FOR_BUDGET, JobStatus, Status
from prominence.core.substitution import VARIABLE
from prominence.core.verdict import DELETED_BY_OPERATOR, DELETED_BY_USER
from prominence.restapi import audit, changes, submission
from prominence.restapi.budgets.accounts import take
from prominence.restapi.files import SPEC_FILE, plan_text, spec_of, whole
from prominence.restapi.identity import Act, Identity, Role, may
from prominence.restapi.members import is_node
from prominence.restapi.presentation import Job, parameters
from prominence.restapi.query import find, look_at
from prominence.restapi.selection import Selection
from prominence.restapi.services import Services

log = logs.get(__name__)

_ON_WORKERS = (JobStatus.RUNNING, JobStatus.TRANSFERRING_OUTPUT, JobStatus.SUSPENDED)
HELD = {True: ("held by the user", HELD_BY_USER), False: ("held by an operator", HELD_BY_OPERATOR)}
"""How HTCondor is told who holds a job: its owner or not."""

ALIVE = (JobStatus.IDLE, *_ON_WORKERS)
"""What can be put on hold."""

_CHANGEABLE = (JobStatus.IDLE, JobStatus.HELD)


def delete(job_ids: Sequence[JobId], caller: Identity, services: Services) -> None:
    """Take jobs out of the queue, ending those that run. Raises NotFound when none of them is there."""
    found = look_at(services.queue.find(Selection(ids=tuple(job_ids))), services)
    allowed = {job.job_id: role for job in found if (role := may(caller, Act.REMOVE, job.owner)) is not None}
    before = {job.job_id: job.view.status.value for job in found}
    removed = 0
    for reason, own in ((DELETED_BY_USER, True), (DELETED_BY_OPERATOR, False)):
        ids = tuple(job_id for job_id, role in allowed.items() if (role is Role.OWNER) == own)
        gone = services.queue.remove(Selection(ids=ids), reason) if ids else 0
        removed += gone
        if gone:
            told = {str(one): before[one] for one in ids}
            audit.record("delete jobs", caller, jobs=[one.shown for one in ids], before=told, after="deleted")
    log.info("jobs deleted", jobs=[one.shown for one in job_ids], removed=removed, user=caller.user)
    if not removed:
        names = ", ".join(map(str, job_ids))
        raise NotFound(f"There is no job {names} in the queue." if len(job_ids) == 1 else f"None of {names} is queued.")


def dismiss(job_id: JobId, caller: Identity, services: Services) -> None:
    """Take a job that has ended out of the queue. Raises NotFound; Conflict where it has not ended."""
    job, _ = _queued(job_id, Act.REMOVE, "remove job", caller, services)
    if job.view.status not in ENDED:
        raise Conflict(f"Job {job_id} has not ended ({job.view.status}); delete it to end it.")
    services.queue.remove(Selection(ids=(job_id,)), DELETED_BY_USER)


def hold(job_id: JobId, caller: Identity, services: Services) -> None:
    """Let a job not start; if it runs, it begins anew when it is released. Raises NotFound; Conflict."""
    job, role = _queued(job_id, Act.CHANGE, "hold job", caller, services)
    reason, subcode = HELD[role is Role.OWNER]
    if not services.queue.hold(Selection(ids=(job_id,), statuses=ALIVE), reason, subcode):
        raise Conflict(f"Job {job_id} cannot be put on hold: it is {_state(job)}.")
    log.info("job held", job=job_id.shown, user=caller.user)


def release(job_id: JobId, caller: Identity, services: Services) -> None:
    """Let a job start again that is on hold. Raises NotFound; Conflict."""
    job, role = _queued(job_id, Act.CHANGE, "release job", caller, services)
    if job.ad[classads.JOB_STATUS] != JobStatus.HELD:
        raise Conflict(f"Job {job_id} is not on hold: it is {_state(job)}.")
    if job.view.status in ENDED:
        raise Conflict(f"Job {job_id} has {job.view.status} and cannot go on; clone it to run it again.")
    if role is Role.OWNER and job.ad.get(classads.HOLD_REASON_SUBCODE) == HELD_BY_OPERATOR:
        raise Conflict(f"Job {job_id} was put on hold by an operator, who alone can release it.")
    if job.ad.get(classads.HOLD_REASON_SUBCODE) == HELD_FOR_BUDGET:
        raise Conflict(f"Job {job_id} goes on by itself, as soon as its group's budget leaves room for it.")
    services.queue.release(Selection(ids=(job_id,), statuses=(JobStatus.HELD,)))
    log.info("job released", job=job_id.shown, user=caller.user)


def edit(job_id: JobId, body: Any, caller: Identity, services: Services) -> None:
    """Change what may change of a job that waits, or the walltime of one that runs. One request at a time does.

    Raises Rejected; NotFound; Conflict; Forbidden where its group's budget has no room for that; Unavailable and
    TooMany where it runs and could not be told.
    """
    job, _ = _queued(job_id, Act.CHANGE, "edit job", caller, services)
    if job_id.index is not None:
        raise Conflict(f"Job {job_id} cannot be changed: all members of array {job_id.cluster} share one description.")
    if is_node(job.uid):
        raise Conflict(f"Job {job_id} cannot be changed: it is part of workflow {job.ad.get(classads.DAGMAN_ID)}.")
    with services.sandboxes.alone(job.uid):
        old = spec_of(job.uid, services.sandboxes)
        if old is None:
            raise NotFound(f"The description of job {job_id} cannot be read.")
        new = _edited(job, old, body, services)
    before, after = changes.differences(old, new)
    audit.record("edit job", caller, job=job_id.shown, before=before, after=after)


def _edited(job: Job, old: JobSpec, body: Any, services: Services) -> JobSpec:
    """The description of the job, which was `old`, once all parts of it are as the body has it.

    Its plan first: what starts from now on is as it is to be. Its description last: until then, whoever repeats the
    request after a crash has all of it done again.
    """
    job_id = job.job_id
    new = changes.changed(old, body)
    attributes = changes.edits(old, new, job.uid, job.owner, services.site)
    only_walltime = changes.differ_in_walltime_alone(old, new)
    statuses = _CHANGEABLE + (_ON_WORKERS if only_walltime else ())
    changing = Selection(ids=(job_id,), statuses=statuses)
    if job.view.status in ENDED or not services.queue.find(changing):
        allowed = " Only its walltime can change." if job.view.status is Status.RUNNING else ""
        raise Conflict(f"Job {job_id} cannot be changed any more: it is {_state(job)}.{allowed}")
    more_ms = services.budgets.needed_ms(new, services.site) - services.budgets.needed_ms(old, services.site)
    if more_ms > 0:
        # The job is in the queue already, as it was: what it gets more is counted by itself for a while.
        take(job.owner.group, more_ms, f"{job.uid}+{services.new_uid()}", services)
    text = submission.written(new)
    _keep_plan(new, job.uid, services)
    if attributes and not services.queue.edit(changing, attributes):
        _keep_plan(old, job.uid, services)
        raise Conflict(f"Job {job_id} cannot be changed any more: it has just started, or ended.")
    if only_walltime and services.queue.find(Selection(ids=(job_id,), statuses=_ON_WORKERS)):
        walltime_s = services.site.walltime_s(new)
        services.desk.give(job, Order(Verb.WALLTIME, expires=0, limit_s=0, walltime_s=walltime_s))
    services.sandboxes.replace(job.uid, SPEC_FILE, text)
    return new


def clone(job_id: JobId, caller: Identity, services: Services) -> int:
    """Submit a job once more, whether it has ended or not; the new one's id. Raises NotFound; Rejected."""
    job = find(job_id, services, detail=True)
    if job is None or may(caller, Act.READ, job.owner) is None:
        raise NotFound(f"There is no job {job_id}.")
    if job.spec is None:
        raise NotFound(f"The description of job {job_id} is no longer kept.")
    spec = whole(job.spec, job.uid, services.sandboxes)
    if is_node(job.uid):
        spec = _on_its_own(spec, job)
    return submission.submit(spec.as_written(), caller, services)


def _on_its_own(spec: JobSpec, job: Job) -> JobSpec:
    """An instance of a workflow's job with what only its workflow has said: its parameters, and its group."""
    if spec.passed:
        workflow = job.ad.get(classads.DAGMAN_ID)
        raise Conflict(f"Job {job.job_id} is passed outputs of other jobs; clone workflow {workflow}, or rerun it.")
    told = {VARIABLE + name: value for name, value in parameters(job.ad).items()}
    tasks = spec.tasks
    if told:
        tasks = tuple(task.model_copy(update={"env": {**task.env, **told}}) for task in tasks)
    return spec.model_copy(update={"tasks": tasks, "group": spec.group or job.owner.group or None})


def _keep_plan(spec: JobSpec, uid: str, services: Services) -> None:
    text = plan_text(whole(spec, uid, services.sandboxes), uid, services.site)
    services.sandboxes.replace(uid, plan.FILE_NAME, text)


def _queued(job_id: JobId, act: Act, word: str, caller: Identity, services: Services) -> tuple[Job, Role]:
    """A job in the queue, and as what the caller acts on it. Another user's is not there for them."""
    found = look_at(services.queue.find(Selection(ids=(job_id,))), services)
    role = may(caller, act, found[0].owner) if found else None
    if role is None:
        raise NotFound(f"There is no job {job_id} in the queue.")
    job = found[0]
    if role is not Role.OWNER:
        audit.record(word, caller, job=job_id.shown, user=job.owner.user, role=role)
    return job, role


def _state(job: Job) -> str:
    on_hold = job.ad[classads.JOB_STATUS] == JobStatus.HELD and job.view.status not in ENDED
    return "on hold" if on_hold else job.view.status.value
