"""Run a command in the container of a job's task."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from prominence.core import logs
from prominence.core.errors import Conflict, NotFound
from prominence.core.jobid import JobId
from prominence.core.orders import Order, Verb
from prominence.core.states import Status
from prominence.core.validation import Spelling, Strict, parse
from prominence.restapi import audit, query
from prominence.restapi.identity import Act, Identity, Role, may
from prominence.restapi.presentation import Job
from prominence.restapi.services import Services

log = logs.get(__name__)

LIMIT_S = 40.0
"""How long a command may run: with all else, less than clients wait for an answer."""
LONGEST_COMMAND = 64 * 1024
"""Bytes of a program's name and its arguments together."""


def _can_be_passed(command: tuple[str, ...]) -> tuple[str, ...]:
    size = sum(len(word.encode()) + 1 for word in command)
    if size > LONGEST_COMMAND:
        raise ValueError(f"has {size} bytes; no more than {LONGEST_COMMAND} are passed on")
    if not command:
        raise ValueError("must begin with a program")
    return command


Word = Annotated[str, Spelling(r"[^\x00]*", "a NUL character cannot be passed to a program")]


class Command(Strict):
    """What is to be run in a job."""

    command: Annotated[tuple[Word, ...], AfterValidator(_can_be_passed)] = Field(
        strict=False,
        description="The program and its arguments; given to no shell.",
        json_schema_extra={"minItems": 1},
    )


@dataclass(frozen=True)
class Printed:
    """What a command has printed on both of its streams. cut: there was more."""

    exit_code: int
    output: bytes
    cut: bool


def run(job_id: JobId, body: Any, caller: Identity, services: Services) -> Printed:
    """Run the command that a request's body describes in the container of the job's task.

    Raises Rejected; NotFound; Conflict where no task is running, or it takes too long; Unavailable; TooMany.
    """
    command = parse(Command, body).command
    job = running(job_id, caller, services)
    log.info("command run in a job", job=job_id.shown, user=caller.user)
    answer = services.desk.give(job, Order(Verb.RUN, expires=0, command=command, limit_s=LIMIT_S))
    return Printed(answer.exit_code or 0, base64.b64decode(answer.output), answer.cut)


def running(job_id: JobId, caller: Identity, services: Services) -> Job:
    """A job that runs, and that the caller may enter. Raises NotFound, Conflict."""
    job = query.find(job_id, services)
    role = None if job is None else may(caller, Act.ENTER, job.owner)
    if job is None or role is None:
        raise NotFound(f"There is no job {job_id}.")
    if job.view.status is not Status.RUNNING:
        raise Conflict(f"Job {job_id} is not running: it is {job.view.status}.")
    if role is not Role.OWNER:
        audit.record("enter job", caller, job=job_id.shown, user=job.owner.user, role=role)
    return job
