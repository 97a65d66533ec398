"""A request that says by a key which one it is makes one job, however often it is sent.

A record in the shared store says who submits (until when), under which uid, and at last which job it became. It is
written before the job is submitted. Should we crash in between, the next request with this key finds the record: it
looks for the job by its uid, and submits only when there is none and the first one's time is over. Right before it
queues the job, everybody looks once more whether the record is still theirs.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from prominence.core import classads, logs
from prominence.core.errors import Conflict, ProminenceError, Rejected, Unavailable
from prominence.core.job import ArraySpec
from prominence.core.keyvalue.port import ABSENT, Lease
from prominence.core.validation import SPELLING, Document
from prominence.core.workflow import WorkflowSpec
from prominence.restapi import submission, workflow_submission
from prominence.restapi.identity import Identity
from prominence.restapi.paging import Page
from prominence.restapi.selection import Kind, Selection
from prominence.restapi.services import Services
from prominence.restapi.submission import Claim, PerhapsQueued

log = logs.get(__name__)

HEADER = "Idempotency-Key"

CLAIM_S = 60
"""Within which a request is done. Whoever finds no job later may submit it in its place."""

MARGIN_S = 20
"""Of these, what queueing the job itself may take."""

RETRY_AFTER_S = 2

_RECORDS = "/prominence/idempotency"
_KEY = re.compile(r"[!-~]{1,255}")

SCHEMA = {
    "type": "string",
    "pattern": f"^{_KEY.pattern}$",
    SPELLING: "must be 1 to 255 characters of printable ASCII without spaces",
    "description": "A new one for each job, such as a UUID, and the same to repeat the request.",
}
"""Of the header."""


class Record(Document):
    """request: what was asked, as a digest. until: nobody else submits it before this moment. job: what it became."""

    request: str
    uid: str
    until: float
    job: int | None = None


def read_key(key: str | None) -> str | None:
    """As the header has it, if there is one. Raises Rejected."""
    if key is not None and not _KEY.fullmatch(key):
        raise Rejected.because("must be 1 to 255 characters of printable ASCII without spaces", HEADER)
    return key


def submit(body: Any, content: bytes, key: str | None, caller: Identity, services: Services) -> int:
    """Submit the job that `body` describes, or find the one that was made by an equal request with this key; its id.

    content: the body as it came. Raises Rejected, Conflict for another request with this key, Unavailable while the
    first one is still being worked on.
    """
    return _once(
        lambda claim: submission.submit(body, caller, services, claim), Kind.JOB, content, key, caller, services
    )


def submit_array(array: ArraySpec, content: bytes, key: str | None, caller: Identity, services: Services) -> int:
    """The same of an array."""
    act = partial(submission.submit_array, array, caller, services)
    return _once(act, Kind.MEMBER, content, key, caller, services)


def submit_workflow(spec: WorkflowSpec, content: bytes, key: str | None, caller: Identity, services: Services) -> int:
    """The same of a workflow."""
    act = partial(workflow_submission.submit, spec, caller, services)
    return _once(act, Kind.WORKFLOW, content, key, caller, services)


def _once(
    act: Callable[[Claim | None], int],
    kind: Kind,
    content: bytes,
    key: str | None,
    caller: Identity,
    services: Services,
) -> int:
    if key is None:
        return act(None)
    read_key(key)
    place = f"{_RECORDS}/{quote(caller.user, safe='')}/{hashlib.sha256(key.encode()).hexdigest()}"
    request = _Request(place, hashlib.sha256(content).hexdigest(), kind, services)
    return request.job() or request.submit(act)


@dataclass
class _Request:
    """One request, and what is known of it: the record and its revision."""

    place: str
    digest: str
    kind: Kind
    services: Services
    record: Record | None = None
    revision: int = ABSENT
    lease: Lease | None = None

    def job(self) -> int | None:
        """The job that it has become already."""
        self._look()
        if self.record is None:
            return None
        if self.record.request != self.digest:
            raise Conflict(f"Another request came with this {HEADER} before; take a new one.")
        if self.record.job is not None:
            return self.record.job
        job = self._queued(self.record.uid)
        if job is not None:
            self._write(self.record.model_copy(update={"job": job}))
        elif self._now() < self.record.until:
            raise Unavailable("The same request is being worked on.", self._patience_s())
        return job

    def submit(self, act: Callable[[Claim], int]) -> int:
        """Submit it, if nobody else does."""
        uid = self.services.new_uid()
        mine = Record(request=self.digest, uid=uid, until=self._now() + CLAIM_S)
        try:
            self._put(mine)
        except Conflict as error:
            raise Unavailable("The same request is being worked on.", RETRY_AFTER_S) from error
        try:
            job = act(Claim(uid, self._check))
        except PerhapsQueued:
            self._write(mine.model_copy(update={"until": 0.0}))  # so that the next one looks, and does not wait
            raise
        except ProminenceError:
            with suppress(Conflict, Unavailable):
                self.services.store.delete_if(self.place, self.revision)
            raise
        self._write(mine.model_copy(update={"job": job}))
        return job

    def _patience_s(self) -> int:
        """As long again as it has taken, and no longer than it may take: whoever works on it may have been killed."""
        assert self.record is not None
        left = self.record.until - self._now()
        return max(RETRY_AFTER_S, math.ceil(min(left, CLAIM_S - left)))

    def _check(self) -> None:
        entry = self.services.store.get(self.place)
        late = self.record is None or self._now() > self.record.until - MARGIN_S
        if late or entry is None or entry.revision != self.revision:
            raise Unavailable("This took too long, and the job was not submitted.", RETRY_AFTER_S)

    def _look(self) -> None:
        entry = self.services.store.get(self.place)
        if entry is not None:
            self.record, self.revision = Record.model_validate_json(entry.value), entry.revision

    def _queued(self, uid: str) -> int | None:
        """The job, the array or the workflow of this uid, in the queue or gone from it.

        Raises Unavailable where it may be gone and not booked yet: its files come before it and go long after it.
        """
        only = Selection(uid=submission.first_uid(uid, self.kind is Kind.MEMBER), kinds=(self.kind,))
        found = self.services.queue.find(only)
        if found:
            return int(found[0][classads.CLUSTER_ID])
        if self.services.sandboxes.exists(uid) and not self.services.archive.is_current():
            raise Unavailable("It is not known yet what became of the same request before.", RETRY_AFTER_S)
        left = self.services.archive.find(only, None, Page(limit=1))
        return left[0].job_id.cluster if left else None

    def _put(self, record: Record) -> None:
        self.lease = self.lease or self.services.store.lease(self.services.remember_s)
        value = record.model_dump_json().encode()
        self.revision = self.services.store.put_if(self.place, value, self.revision, self.lease)
        self.record = record

    def _write(self, record: Record) -> None:
        """If it can be: without it the next request looks for the job by its uid."""
        try:
            self._put(record)
        except (Conflict, Unavailable) as error:
            log.warning("what became of a request was not recorded", uid=record.uid, error=str(error))

    def _now(self) -> float:
        return self.services.clock().timestamp()
