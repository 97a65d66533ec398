"""Submit a job: its files first, then HTCondor, so that whatever is queued can run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from prominence.core import classads, document, logs, plan
from prominence.core.errors import ProminenceError, Rejected, Unavailable
from prominence.core.job import JobSpec
from prominence.core.validation import parse
from prominence.restapi import grants, ledger, legacy
from prominence.restapi.files import INPUTS_FILE, SPEC_FILE
from prominence.restapi.identity import Identity, charged
from prominence.restapi.ports import LARGEST_READ, JobQueue
from prominence.restapi.selection import Selection
from prominence.restapi.services import Services
from prominence.restapi.translate.plan import plan as plan_of
from prominence.restapi.translate.plan import uses_objects
from prominence.restapi.translate.submit import SubmitDescription, describe

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

    TooMany when its user has as many as they may.
    """
    spec = parse(JobSpec, legacy.job(body))
    account = charged(caller, spec.group, services.site.default_group)
    services.queued.take(account.user)
    claim = claim or Claim(services.new_uid())
    uid = claim.uid
    files = {
        SPEC_FILE: _written(spec),
        plan.FILE_NAME: document.dumps(plan_of(spec, uid, services.site)),
    }
    if spec.inputs:
        files[INPUTS_FILE] = json.dumps([file.content for file in spec.inputs])
    record = grants.record_of(spec, account.user, caller, services) if uses_objects(spec) else None
    if record is not None:
        files[plan.TOKEN_FILE] = services.job_tokens.mint(uid, account.user)
    sandbox = services.sandboxes.make(uid, files)
    try:
        if record is not None:
            ledger.open_record(uid, record, services.store)
        description = describe(spec, uid, account, sandbox, services.site)
        claim.check()
        job_id = _queue(services.queue, description, uid)
    except PerhapsQueued:
        raise  # a job without its files would be worse than files without a job; so they stay after a crash, too
    except ProminenceError:
        services.sandboxes.discard(uid)  # what it may do with objects is forgotten later: no job, no use
        raise
    log.info("job submitted", job=job_id, uid=uid, user=account.user, group=account.group)
    return job_id


def _written(spec: JobSpec) -> str:
    """To be read again whenever somebody asks for the job. Raises Rejected when it would be too large for that."""
    without = tuple(file.model_copy(update={"content": ""}) for file in spec.inputs)
    text = spec.model_copy(update={"inputs": without}).model_dump_json(exclude_none=True)
    size = len(text.encode())
    if size > LARGEST_READ:
        raise Rejected.because(f"The job is too large: its description has {size} bytes, and {LARGEST_READ} are kept.")
    return text


def _queue(queue: JobQueue, description: SubmitDescription, uid: str) -> int:
    """Queue the job; if the answer got lost, look whether it was."""
    try:
        return queue.submit(description)
    except Unavailable as error:
        try:
            found = queue.find(Selection(uid=uid))
        except Unavailable as again:
            log.warning("nobody knows whether a job was queued", uid=uid)
            raise PerhapsQueued(str(error), error.retry_after_s) from again
        if not found:
            raise
        return int(found[0][classads.CLUSTER_ID])
