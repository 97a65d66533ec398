"""What a job may do with objects: found out when it is submitted, and traded for signed addresses while it runs.

The job's token says which job it is; the record in the ledger says what that job may read and write; the queue says
whether it runs. An address is asked for at the moment of use, so none expires while a job waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import Field

from prominence.core import classads, logs
from prominence.core.errors import Forbidden, Mistake, Rejected
from prominence.core.files import is_web_address
from prominence.core.job import JobSpec
from prominence.core.states import JobStatus
from prominence.core.validation import Strict, parse
from prominence.restapi import areas, ledger, space
from prominence.restapi.areas import Area, Kind
from prominence.restapi.data import Sha256, Size
from prominence.restapi.identity import Identity
from prominence.restapi.ledger import JobRecord
from prominence.restapi.objects import Put, Reach, Terms
from prominence.restapi.outputs import matches
from prominence.restapi.ports import READ_INPUTS, WRITE_OUTPUTS
from prominence.restapi.selection import Selection
from prominence.restapi.services import Services

log = logs.get(__name__)

ADDRESS_S = 7200
"""For so long an address that a job gets is good: to begin, not to end by."""

_RUNS = (JobStatus.RUNNING, JobStatus.TRANSFERRING_OUTPUT, JobStatus.SUSPENDED)


class WantedInput(Strict):
    """An object that a job wants to read."""

    name: str = Field(description="As the job's artifacts have it.")


class WantedOutput(Strict):
    """An object that a job wants to write."""

    name: str = Field(
        description="The path in the job's home; of a directory with .tgz behind it.", json_schema_extra=areas.SCHEMA
    )
    size: Size | None = Field(default=None, description="Bytes, where known: they are then held to.")
    sha256: Sha256 | None = Field(default=None, description="What the content must have, where known.")


@dataclass(frozen=True)
class Input:
    """An address to GET an object from, and what is known of it."""

    url: str
    size: int
    sha256: str | None


def record_of(spec: JobSpec, user: str, caller: Identity, services: Services) -> JobRecord:
    """What the job may do. Raises Rejected, Forbidden for objects that are not there or not the caller's."""
    inputs: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for index, artifact in enumerate(spec.artifacts):
        if is_web_address(artifact.url):
            continue
        path = f"artifacts[{index}].url"
        try:
            found = areas.find(artifact.url, caller, path)
        except Rejected as error:
            mistakes += error.mistakes
            continue
        if services.objects.stat(found.stored_as) is None:
            mistakes.append(Mistake(path, f"there is no object {artifact.url}; upload it first"))
        inputs[artifact.url] = found.stored_as
    if mistakes:
        raise Rejected(mistakes)
    return JobRecord(
        user=user,
        made_at=services.clock(),
        inputs=inputs,
        output_files=spec.outputFiles,
        output_dirs=spec.outputDirs,
    )


def input_address(token: str, body: Any, services: Services) -> Input:
    """Where the running job gets one of its inputs. Raises Unauthenticated, Forbidden, Rejected, Unavailable."""
    uid, record = _job(token, READ_INPUTS, services)
    wanted = parse(WantedInput, body)
    stored_as = record.inputs.get(wanted.name)
    if stored_as is None:
        raise Forbidden(f"{ascii(wanted.name)} is not an input of this job.")
    stored = services.objects.stat(stored_as)
    if stored is None:
        raise Rejected.because(f"The object {wanted.name} is no longer there.")
    log.info("input address given", uid=uid, name=stored_as)
    return Input(services.objects.url_to_get(stored_as, ADDRESS_S, Reach.WORKERS), stored.size, stored.sha256)


def output_address(token: str, body: Any, services: Services) -> Put:
    """Where the running job puts one of its outputs. Raises as above, and QuotaReached, TooLarge."""
    uid, record = _job(token, WRITE_OUTPUTS, services)
    wanted = parse(WantedOutput, body)
    if not may_write(record, wanted.name):
        raise Forbidden(f"{ascii(wanted.name)} is not an output of this job.")
    stored_as = areas.output(uid, wanted.name)
    before = record.written.get(wanted.name, 0)
    largest = space.most(Area(Kind.USER, record.user), before, wanted.size, services)
    ledger.charge(uid, wanted.name, wanted.size if wanted.size is not None else before, services.store)
    log.info("output address given", uid=uid, name=stored_as, size=wanted.size)
    terms = Terms(ADDRESS_S, largest, wanted.size, wanted.sha256)
    return services.objects.url_to_put(stored_as, terms, Reach.WORKERS)


def may_write(record: JobRecord, name: str) -> bool:
    """Whether the name is one of the job's outputs: a match of a pattern, part by part, or a directory's archive."""
    if any(name == f"{directory}.tgz" for directory in record.output_dirs):
        return True
    return any(matches(name, pattern) for pattern in record.output_files)


def _job(token: str, scope: str, services: Services) -> tuple[str, JobRecord]:
    """Which job it is, and what it may do. Raises Unauthenticated, Forbidden, Unavailable."""
    uid = services.job_tokens.whose(token, scope)
    record = ledger.find(uid, services.store)
    if record is None or not _runs(uid, services):
        raise Forbidden("The job does not run.")
    return uid, record


def _runs(uid: str, services: Services) -> bool:
    def look() -> bool:
        return any(ad[classads.JOB_STATUS] in _RUNS for ad in services.queue.find(Selection(uid=uid)))

    return services.running.is_so(uid, services.clock(), look)
