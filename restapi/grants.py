"""What a job may do with objects: found out when it is submitted, and traded for signed addresses while it runs.

The job's token says which job it is; the record in the ledger says what that job may read and write; the queue says
whether it runs. An address is asked for at the moment of use, so none expires while a job waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from prominence.core import classads, images, logs
from prominence.core.errors import Forbidden, Mistake, Rejected
from prominence.core.files import Artifact, Sha256, is_web_address
from prominence.core.job import JobSpec
from prominence.core.states import JobStatus
from prominence.core.substitution import any_value, referred
from prominence.core.validation import Strict, parse
from prominence.core.verdict import JobAd, number
from prominence.restapi import areas, ledger, space
from prominence.restapi.areas import Area, Kind
from prominence.restapi.data import Size
from prominence.restapi.identity import Identity
from prominence.restapi.ledger import JobRecord
from prominence.restapi.objects import Put, Reach, Terms
from prominence.restapi.outputs import matches
from prominence.restapi.ports import READ_INPUTS, WRITE_OUTPUTS
from prominence.restapi.selection import Selection
from prominence.restapi.services import Services
from prominence.restapi.sighting import Sighting

log = logs.get(__name__)

ADDRESS_S = 7200
"""For so long an address that a job gets is good: to begin, not to end by."""

_RUNS = (JobStatus.RUNNING, JobStatus.TRANSFERRING_OUTPUT, JobStatus.SUSPENDED)
_STOPS = (JobStatus.REMOVED, JobStatus.HELD)
"""To HTCondor it is so at once, also while its executor has time to keep what there is."""


class WantedInput(Strict):
    """An object that a job wants to read."""

    name: str = Field(description="As the job's artifacts, or the image of a task, have it.")


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


def record_of(
    spec: JobSpec,
    user: str,
    caller: Identity,
    services: Services,
    must_be_there: bool = True,
    sighting: Sighting | None = None,
) -> JobRecord:
    """What the job may do. Raises Rejected, Forbidden for objects that are not there or not the caller's.

    must_be_there: objects; without that only whose they are is looked at. sighting: what was seen of them before.
    """
    seen = sighting or Sighting(services.objects)
    inputs: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for path, name, sha256 in _objects_of(spec):
        try:
            found = areas.find(name, caller, path)
        except Rejected as error:
            mistakes += error.mistakes
            continue
        inputs[name] = found.stored_as
        stored = seen.of(found, with_checksum=sha256 is not None) if must_be_there else None
        if stored is None and must_be_there:
            mistakes.append(Mistake(path, f"there is no object {name}; upload it first"))
        elif stored is not None and sha256 is not None and stored.sha256 not in (None, sha256):
            mistakes.append(Mistake(path, f"the object {name} has another checksum than imageSha256"))
    if mistakes:
        raise Rejected(mistakes)
    return JobRecord(
        user=user,
        made_at=services.clock(),
        inputs=inputs,
        output_files=spec.outputFiles,
        output_dirs=spec.outputDirs,
        checkpoints=spec.policies.checkpoint is not None,
    )


def names_many(job: JobSpec) -> bool:
    """Whether instances of a workflow's job may read different objects."""
    return bool(referred([*(one.url for one in job.fetched), *(task.image for task in job.tasks)]))


def record_of_instances(
    job: JobSpec,
    found: Sequence[JobSpec],
    path: str,
    user: str,
    caller: Identity,
    services: Services,
    must_be_there: bool = True,
) -> JobRecord:
    """What all instances of a workflow's job may do, each with outputs of its own. path: of the job in its document.

    Each may read what any of them reads. What it may write is told from the names of its outputs up to parameters.
    """
    inputs: dict[str, str] = {}
    sighting = Sighting(services.objects)
    for one in found:
        if any(name not in inputs for _, name, _ in _objects_of(one)):
            try:
                inputs |= record_of(one, user, caller, services, must_be_there, sighting).inputs
            except Rejected as error:
                raise Rejected([Mistake(path + mistake.path, mistake.message) for mistake in error.mistakes]) from error
    dirs = [name for name in job.outputDirs if not referred([name])]
    return JobRecord(
        user=user,
        made_at=services.clock(),
        inputs=inputs,
        output_files=(
            *map(any_value, job.outputFiles),
            *(f"{any_value(name)}.tgz" for name in job.outputDirs if name not in dirs),
        ),
        output_dirs=tuple(dirs),
        checkpoints=job.policies.checkpoint is not None,
    )


def _objects_of(spec: JobSpec) -> Iterator[tuple[str, str, str | None]]:
    """The objects that the job reads: the field that names one, its name, and the checksum that it must have."""
    for index, artifact in enumerate(spec.artifacts):
        if isinstance(artifact, Artifact) and not is_web_address(artifact.url):
            yield f"artifacts[{index}].url", artifact.url, None
    seen = set()
    for index, task in enumerate(spec.tasks):
        if images.is_object(task.image) and (task.image, task.imageSha256) not in seen:
            seen.add((task.image, task.imageSha256))
            yield f"tasks[{index}].image", task.image, task.imageSha256


def input_address(token: str, body: Any, services: Services) -> Input:
    """Where the running job gets one of its inputs. Raises Unauthenticated, Forbidden, Rejected, Unavailable."""
    uid, record = running_job(token, READ_INPUTS, services)
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
    uid, record = running_job(token, WRITE_OUTPUTS, services)
    wanted = parse(WantedOutput, body)
    if not may_write(record, wanted.name):
        raise Forbidden(f"{ascii(wanted.name)} is not an output of this job.")
    stored_as = areas.output(uid, wanted.name)
    before = record.written.get(wanted.name, 0)
    largest = space.most(Area(Kind.USER, record.user), before, wanted.size, services).largest
    ledger.charge(uid, wanted.name, wanted.size if wanted.size is not None else before, services.store)
    log.info("output address given", uid=uid, name=stored_as, size=wanted.size)
    terms = Terms(ADDRESS_S, largest, wanted.size, wanted.sha256)
    return services.objects.url_to_put(stored_as, terms, Reach.WORKERS)


def may_write(record: JobRecord, name: str) -> bool:
    """Whether the name is one of the job's outputs: a match of a pattern, part by part, or a directory's archive."""
    if any(name == f"{directory}.tgz" for directory in record.output_dirs):
        return True
    return any(matches(name, pattern) for pattern in record.output_files)


def running_job(token: str, scope: str, services: Services) -> tuple[str, JobRecord]:
    """Which job it is, and what it may do. Raises Unauthenticated, Forbidden, Unavailable."""
    uid = services.job_tokens.whose(token, scope)
    record = ledger.find(uid, services.store)
    if record is None or not _runs(uid, services):
        raise Forbidden("The job does not run.")
    return uid, record


def _runs(uid: str, services: Services) -> bool:
    def look() -> bool:
        return any(_is_on_a_worker(ad, services) for ad in services.queue.find(Selection(uid=uid)))

    return services.running.is_so(uid, services.clock(), look)


def _is_on_a_worker(ad: JobAd, services: Services) -> bool:
    if ad[classads.JOB_STATUS] not in _STOPS:
        return ad[classads.JOB_STATUS] in _RUNS
    since = number(ad, classads.ENTERED_STATUS_AT) or 0
    has_run = number(ad, classads.LAST_STATUS) in _RUNS
    return has_run and services.clock().timestamp() - since <= services.site.vacate_s
