"""The parameters of a list of jobs, read once: which jobs, from where, how many. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from prominence.core.errors import Mistake, Rejected
from prominence.core.states import ENDED, JobStatus, Status
from prominence.restapi import legacy
from prominence.restapi.selection import Selection

USUAL = 20
"""How many finished jobs are listed when nobody says."""

MOST = 10_000
"""How many finished jobs are looked at at most."""

LAST_ID = 2**31 - 1
"""HTCondor counts its jobs in 32 bits."""

_QUEUED_AS: dict[Status, tuple[JobStatus, ...]] = {
    Status.IDLE: (JobStatus.IDLE,),
    Status.DEPLOYING: (JobStatus.IDLE,),
    Status.WAITING: (JobStatus.IDLE,),
    Status.RUNNING: (JobStatus.RUNNING, JobStatus.TRANSFERRING_OUTPUT, JobStatus.SUSPENDED),
    Status.COMPLETED: (JobStatus.COMPLETED,),
    Status.FAILED: (JobStatus.HELD, JobStatus.COMPLETED),
    Status.KILLED: (JobStatus.HELD, JobStatus.COMPLETED),
    Status.DELETED: (JobStatus.REMOVED,),
}
"""The states of HTCondor in which a job may be shown by this word."""

_EVERY_IDLE = frozenset({Status.IDLE, Status.DEPLOYING, Status.WAITING})


@dataclass(frozen=True)
class Listing:
    """selection: which jobs. queue: whether those in the queue; history: how many of the last that left it.

    shown: the status words that are wanted, None for any. detail: everything that is known of each.
    """

    selection: Selection
    queue: bool = True
    history: int = 0
    shown: frozenset[Status] | None = None
    detail: bool = False


def read(parameters: Mapping[str, list[str]], user: str) -> Listing:
    """What is asked for, of this user's own jobs. Raises Rejected with every mistake; what is unknown is ignored."""
    mistakes: list[Mistake] = []
    reader = _Reader(parameters, mistakes)
    status, ids, num = reader.status(), reader.ids(), reader.num()
    labels = reader.labels()
    if mistakes:
        raise Rejected(mistakes)
    if legacy.is_of_a_workflow(parameters):
        ids = ()
    selection = Selection(
        user=user,
        ids=ids,
        statuses=_QUEUED_AS[status] if status else None,
        name=reader.last("name"),
        labels=labels,
    )
    queue, history = _where(parameters, status, ids, num)
    return Listing(selection, queue, history, _shown(status), detail="detail" in parameters)


def job_id(text: str) -> int:
    """The one job in an address. Raises Rejected."""
    found = _job_id(text)
    if found is None:
        raise Rejected.because(f"{ascii(text)} is not the number of a job")
    return found


def job_ids(text: str) -> tuple[int, ...]:
    """Several jobs, as in "1,2,30". Raises Rejected."""
    ids = [_job_id(word.strip()) for word in text.split(",")]
    if None in ids:
        raise Rejected.because("must be numbers of jobs with commas between them, such as 1,2", "id")
    return tuple(dict.fromkeys(one for one in ids if one is not None))


def offset(parameters: Mapping[str, list[str]]) -> int:
    """From which byte on an output is wanted. Raises Rejected."""
    if parameters.get("node", ["0"])[-1] != "0":
        raise Rejected.because("must be 0: the job has one node", "node")
    text = parameters.get("offset", ["0"])[-1]
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise Rejected.because("must be a whole number, 0 or more", "offset")
    return int(text)


def _where(
    parameters: Mapping[str, list[str]], status: Status | None, ids: tuple[int, ...] | None, num: int | None
) -> tuple[bool, int]:
    """From the queue or not, and how many of the history."""
    if legacy.says_yes(parameters.get("completed")):
        return False, USUAL if num is None else num
    if status in ENDED or "all" in parameters:
        return True, MOST
    if ids is not None:
        return True, len(ids)
    return True, 0


def _shown(status: Status | None) -> frozenset[Status] | None:
    """Old clients ask for HTCondor's idle jobs by "idle"; they do not know how to ask for one kind of those."""
    if status is None:
        return None
    return _EVERY_IDLE if status is Status.IDLE else frozenset({status})


def _job_id(word: str) -> int | None:
    return int(word) if re.fullmatch(r"[0-9]{1,10}", word) and 0 < int(word) <= LAST_ID else None


class _Reader:
    """Reads one parameter after the other and collects what is wrong with them."""

    def __init__(self, parameters: Mapping[str, list[str]], mistakes: list[Mistake]) -> None:
        self._parameters = parameters
        self._mistakes = mistakes

    def last(self, name: str) -> str | None:
        """The value that counts when a parameter is given twice."""
        values = self._parameters.get(name)
        return values[-1] if values else None

    def status(self) -> Status | None:
        word = self.last("status")
        if word is None:
            return None
        try:
            return Status(word)
        except ValueError:
            self._mistakes.append(Mistake("status", f"must be one of {', '.join(Status)}"))
            return None

    def ids(self) -> tuple[int, ...] | None:
        text = self.last("id")
        try:
            return None if text is None else job_ids(text)
        except Rejected as error:
            self._mistakes.extend(error.mistakes)
            return None

    def num(self) -> int | None:
        """Old clients say -1 for all there are."""
        text = self.last("num")
        if text is None:
            return None
        if not re.fullmatch(r"-1|[0-9]{1,9}", text):
            self._mistakes.append(Mistake("num", "must be a whole number"))
            return None
        return MOST if text == "-1" else min(int(text), MOST)

    def labels(self) -> tuple[tuple[str, str], ...]:
        """All of them must fit."""
        labels = []
        for text in self._parameters.get("constraint", []):
            key, _, value = text.partition("=")
            if text.count("=") == 1 and re.fullmatch(r"[A-Za-z0-9]+", key):
                labels.append((key, value))
            else:
                self._mistakes.append(Mistake("constraint", "must be a label and its value, such as app=fit"))
        return tuple(labels)
