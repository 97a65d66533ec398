"""Run a command in a running job: an order is put into the job's directory, and the executor's answer is waited for."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from prominence.core import document, logs
from prominence.core.errors import Conflict, NotFound, TooMany, Unavailable
from prominence.core.orders import Answer, Order, Refusal, Verb, answer_file, order_file
from prominence.core.states import Status
from prominence.core.validation import Spelling, Strict, parse
from prominence.restapi import audit, query
from prominence.restapi.identity import Act, Identity, Role, may
from prominence.restapi.ports import Unusable
from prominence.restapi.presentation import Job
from prominence.restapi.services import Services

log = logs.get(__name__)

LIMIT_S = 40.0
"""How long a command may run: with all else, less than clients wait for an answer."""
PATIENCE_S = 15.0
"""What an order and its answer may take on their way."""
LOOK_S = 0.05
_DONE = "{}"
_RETRY_AFTER_S = 10


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


class Desk:
    """For all who give orders to jobs in this process."""

    def __init__(
        self,
        services: Services,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._services, self._clock, self._sleep = services, clock, sleep
        self._places = threading.BoundedSemaphore(services.most_waiting)

    def run(self, job_id: int, body: Any, caller: Identity) -> Printed:
        """Run the command that a request's body describes in the container of the job's task.

        Raises Rejected; NotFound; Conflict where no task is running, or it takes too long; Unavailable; TooMany.
        """
        command = parse(Command, body).command
        job = _running(job_id, caller, self._services)
        log.info("command run in a job", job=job_id, user=caller.user)
        with self._place():
            answer = self._answer(job.uid, Order(Verb.RUN, time.time() + PATIENCE_S, command, LIMIT_S))
        if answer.refusal is not None:
            raise Conflict(_why_not(job_id, answer))
        return Printed(answer.exit_code or 0, base64.b64decode(answer.output), answer.cut)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise TooMany("Too many commands are being run in jobs at the moment.", _RETRY_AFTER_S)
        try:
            yield
        finally:
            self._places.release()

    def _answer(self, uid: str, order: Order) -> Answer:
        sandboxes = self._services.sandboxes
        number = sandboxes.add(uid, order_file, document.dumps(order))
        deadline = self._clock() + PATIENCE_S + order.limit_s
        try:
            while self._clock() < deadline:
                text = sandboxes.read(uid, answer_file(number))
                if text is not None:
                    return document.loads(Answer, text.decode())
                self._sleep(LOOK_S)
        except (Unusable, ValueError) as error:
            log.warning("an answer cannot be read", uid=uid, error=str(error))
            raise Unavailable("The job's worker gave an answer that is none.", _RETRY_AFTER_S) from error
        finally:
            # The numbers stay, what takes room goes.
            sandboxes.replace(uid, order_file(number), _DONE)
            sandboxes.replace(uid, answer_file(number), _DONE)
        raise Unavailable("The job's worker does not answer.", _RETRY_AFTER_S)


def _running(job_id: int, caller: Identity, services: Services) -> Job:
    job = query.find(job_id, services)
    role = None if job is None else may(caller, Act.ENTER, job.owner)
    if job is None or role is None:
        raise NotFound(f"There is no job {job_id}.")
    if job.view.status is not Status.RUNNING:
        raise Conflict(f"Job {job_id} is not running: it is {job.view.status}.")
    if role is not Role.OWNER:
        audit.record("enter job", caller, job=job_id, user=job.owner.user, role=role)
    return job


def _why_not(job_id: int, answer: Answer) -> str:
    match answer.refusal:
        case Refusal.NOT_RUNNING:
            return f"No task of job {job_id} is running: it fetches files or an image, or has just ended."
        case Refusal.OUT_OF_TIME:
            return f"The command took longer than {LIMIT_S:g} s and was given up."
        case Refusal.TOO_LATE:
            return f"The worker of job {job_id} was busy with another command. Try again."
    return f"The worker of job {job_id} could not run the command: {answer.detail or answer.refusal}."
