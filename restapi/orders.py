"""Orders to running jobs: each is put into the job's directory, and the executor's answer is waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prominence.core import document, logs
from prominence.core.errors import Conflict, TooMany, Unavailable
from prominence.core.jobid import JobId
from prominence.core.orders import Answer, Order, Refusal, answer_file, order_file
from prominence.restapi.ports import Sandboxes, Unusable
from prominence.restapi.presentation import Job

log = logs.get(__name__)

PATIENCE_S = 15.0
"""What an order and its answer may take on their way."""
LOOK_S = 0.05
_DONE = "{}"
_RETRY_AFTER_S = 10


class Desk:
    """For all who give orders to jobs in this process. most: orders whose answers may be waited for at once."""

    def __init__(
        self,
        sandboxes: Sandboxes,
        most: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._sandboxes, self._clock, self._sleep = sandboxes, clock, sleep
        self._places = threading.BoundedSemaphore(most)

    def give(self, job: Job, order: Order) -> Answer:
        """The answer to an order, which expires as we see fit. Raises Conflict for a refusal; Unavailable; TooMany."""
        with self._place():
            answer = self._answer(job.uid, order._replace(expires=time.time() + PATIENCE_S))
        if answer.refusal is not None:
            raise Conflict(_why_not(job.job_id, order, answer))
        return answer

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise TooMany("Too many running jobs are being asked for something at the moment.", _RETRY_AFTER_S)
        try:
            yield
        finally:
            self._places.release()

    def _answer(self, uid: str, order: Order) -> Answer:
        number = self._sandboxes.add(uid, order_file, document.dumps(order))
        deadline = self._clock() + PATIENCE_S + order.limit_s
        try:
            while self._clock() < deadline:
                text = self._sandboxes.read(uid, answer_file(number))
                if text is not None:
                    return document.loads(Answer, text.decode())
                self._sleep(LOOK_S)
        except (Unusable, ValueError) as error:
            log.warning("an answer cannot be read", uid=uid, error=str(error))
            raise Unavailable("The job's worker gave an answer that is none.", _RETRY_AFTER_S) from error
        finally:
            # The numbers stay, what takes room goes.
            self._sandboxes.replace(uid, order_file(number), _DONE)
            self._sandboxes.replace(uid, answer_file(number), _DONE)
        raise Unavailable("The job's worker does not answer.", _RETRY_AFTER_S)


def _why_not(job_id: JobId, order: Order, answer: Answer) -> str:
    match answer.refusal:
        case Refusal.NOT_RUNNING:
            return f"No task of job {job_id} is running: it fetches files or an image, or has just ended."
        case Refusal.OUT_OF_TIME:
            return f"The command took longer than {order.limit_s:g} s and was given up."
        case Refusal.TOO_LATE:
            return f"The worker of job {job_id} did not see it in time. Try again."
        case Refusal.NO_SUCH_FILE:
            return f"There is no such file or directory in the home of job {job_id}: {answer.detail}."
    return f"The worker of job {job_id} could not do it: {answer.detail or answer.refusal}."
