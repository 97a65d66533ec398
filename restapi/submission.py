"""Submit a job: its files first, then HTCondor, so that whatever is queued can run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from prominence.core import classads, logs, plan, tracing
from prominence.core.errors import Mistake, ProminenceError, Rejected, Unavailable
from prominence.core.job import ArraySpec, JobSpec
from prominence.core.storage import Storage
from prominence.core.validation import parse
from prominence.restapi import grants, ledger, legacy, members
from prominence.restapi.budgets.accounts import taken
from prominence.restapi.files import SPEC_FILE, kept_apart, plan_text
from prominence.restapi.identity import Identity, charged
from prominence.restapi.ports import LARGEST_READ, JobQueue
from prominence.restapi.selection import Selection
from prominence.restapi.services import Services
from prominence.restapi.telling import Told, whom
from prominence.restapi.translate.plan import uses_objects
from prominence.restapi.translate.submit import SubmitDescription, describe, of_array

log = logs.get(__name__)


class PerhapsQueued(Unavailable):
    """Nobody can say whether the job was queued."""


@dataclass(frozen=True)
class Claim:
    """To be the one who submits a job. check: raises Unavailable when somebody else has become that."""

    uid: str
    check: Callable[[], object] = lambda: None


def submit(body: Any, caller: Identity, services: Services, claim: Claim | None = None) -> int:
    """Submit the job that a request's body describes; its id. Raises Rejected with every mistake in it.

    TooMany when its user has as many as they may, Forbidden when its group's budget has no room for it.
    """
    spec = parse(JobSpec, legacy.job(body))
    refuse_hidden(spec)
    return _submit(spec, None, caller, services, claim)


def submit_array(array: ArraySpec, caller: Identity, services: Services, claim: Claim | None = None) -> int:
    """The same of many jobs at once, all of them or none; the array's id."""
    return _submit(array.job, array.count, caller, services, claim)


def array_of(body: Any, services: Services) -> ArraySpec:
    """The array that a request's body describes. Raises Rejected."""
    said = {**body, "job": legacy.job(body["job"])} if isinstance(body, dict) and "job" in body else body
    array = parse(ArraySpec, said)
    if array.count > services.site.max_array:
        raise Rejected.because(f"this site takes at most {services.site.max_array} jobs at once", "count")
    if array.job.notifications:
        raise Rejected.because("is for single jobs: of an array nobody is told", "job.notifications")
    refuse_hidden(array.job, "job.")
    return array


def _submit(spec: JobSpec, count: int | None, caller: Identity, services: Services, claim: Claim | None) -> int:
    """count: of an array; None for a job of its own."""
    account = charged(caller, spec.group, services.site.default_group)
    told = whom(spec.notifications, caller, account, services)
    nodes = spec.resources.number_of_nodes
    services.queued.take(account.user, count or nodes)
    claim = claim or Claim(services.new_uid())
    uid = claim.uid
    needed_ms = services.budgets.needed_ms(spec, services.site) * (count or 1)
    with taken(account.group, needed_ms, uid, services, unless=PerhapsQueued):
        job_id = _queued(spec, count, claim, told, caller, services)
    log.info("job submitted", job=job_id, uid=uid, user=account.user, group=account.group, jobs=count or 1)
    return job_id


def _queued(spec: JobSpec, count: int | None, claim: Claim, told: Told, caller: Identity, services: Services) -> int:
    """Its id, once all is there that it needs."""
    uid, account = claim.uid, told.account
    record = grants.record_of(spec, account.user, caller, services) if uses_objects(spec) else None
    sandbox = _make_files(spec, count, uid, account.user, services)
    try:
        if record is not None:
            ledger.open_record(uid, record, services.store)
        told.note(uid, spec.notifications)
        description = describe(spec, uid, account, sandbox, services.site).of_request(tracing.current())
        if count is not None:
            description = of_array(description, uid, sandbox, count)
        claim.check()
        return _queue(services.queue, description, count, spec.resources.number_of_nodes, uid)
    except PerhapsQueued:
        raise  # a job without its files would be worse than files without a job; so they stay after a crash, too
    except ProminenceError:
        services.sandboxes.discard(uid)  # what it may do, and whom to tell, is forgotten later: no job, no use
        raise


def _make_files(spec: JobSpec, count: int | None, uid: str, user: str, services: Services) -> str:
    """The job's files, or those of the array and its members; where they are."""
    files = {
        SPEC_FILE: written(spec),
        plan.FILE_NAME: plan_text(spec, uid, services.site),
        **kept_apart(spec),
    }

    def own(whose: str) -> dict[str, str]:
        return {plan.TOKEN_FILE: services.job_tokens.mint(whose, user)} if uses_objects(spec) else {}

    if count is None:
        return services.sandboxes.make(uid, {**files, **own(uid)})
    return services.sandboxes.make(uid, files, {str(place): own(members.uid_of(uid, place)) for place in range(count)})


def refuse_hidden(spec: JobSpec, path: str = "") -> None:
    """Raises Rejected for what was copied from where tokens are not shown."""
    credentials = [(number, task.imagePullCredential) for number, task in enumerate(spec.tasks)]
    hidden = [
        f"tasks[{number}].imagePullCredential.token"
        for number, one in credentials
        if one is not None and one.token == plan.HIDDEN
    ]
    refuse_hidden_places([*hidden, *hidden_in(spec.storage)], path)


def hidden_in(storage: Storage | None) -> list[str]:
    """Where what is not shown stands in this section; nowhere as a rule."""
    if storage is None or storage.section.secret != plan.HIDDEN:
        return []
    return [f"storage.{storage.type}.{storage.section.secret_is_called()}"]


def refuse_hidden_places(places: Iterable[str], path: str = "") -> None:
    """Raises Rejected when there are any."""
    sentence = f"{plan.HIDDEN} stands for a token that is not shown; write the token itself"
    mistakes = [Mistake(path + place, sentence) for place in places]
    if mistakes:
        raise Rejected(mistakes)


def written(spec: JobSpec) -> str:
    """To be read again whenever somebody asks for the job. Raises Rejected when it would be too large for that."""
    without = tuple(file.model_copy(update={"content": ""}) for file in spec.inputs)
    text = spec.model_copy(update={"inputs": without}).model_dump_json(exclude_none=True)
    size = len(text.encode())
    if size > LARGEST_READ:
        raise Rejected.because(f"The job is too large: its description has {size} bytes, and {LARGEST_READ} are kept.")
    return text


def first_uid(uid: str, is_array: bool) -> str:
    """Of the job by which it can be seen whether all of it was queued."""
    return members.uid_of(uid, 0) if is_array else uid


def _queue(queue: JobQueue, description: SubmitDescription, count: int | None, nodes: int, uid: str) -> int:
    """Queue the job with its nodes, or the array; if the answer got lost, look whether it was."""
    try:
        return queue.submit(description, count or nodes)
    except Unavailable as error:
        try:
            found = queue.find(Selection(uid=first_uid(uid, count is not None)))
        except Unavailable as again:
            log.warning("nobody knows whether a job was queued", uid=uid)
            raise PerhapsQueued(str(error), error.retry_after_s) from again
        if not found:
            raise
        return int(found[0][classads.CLUSTER_ID])
