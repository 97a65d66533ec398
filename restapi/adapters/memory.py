"""Queue, machines, sandboxes and identities in this process, for unit tests: same promises, faults on request.

The queue understands the ClassAds it is given: attributes and constraints are HTCondor's own text, read by its own
library.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import BinaryIO

import classad2

from prominence.core import classads
from prominence.core.errors import NoRoom, Unauthenticated, Unavailable
from prominence.core.states import HoldCode, JobStatus, Status
from prominence.core.view import JobAd
from prominence.restapi.archive.records import labels
from prominence.restapi.files import files_of
from prominence.restapi.finished import Attempt, Finished, finished
from prominence.restapi.identity import Identity
from prominence.restapi.paging import Page
from prominence.restapi.ports import Sandboxes, Unusable
from prominence.restapi.resources import Slot
from prominence.restapi.selection import Selection
from prominence.restapi.translate.ads import plain
from prominence.restapi.translate.constraint import constraint
from prominence.restapi.translate.submit import SubmitDescription

Value = str | int | float | bool

_ATTRIBUTE_OF = {
    "request_cpus": classads.REQUEST_CPUS,
    "request_memory": classads.REQUEST_MEMORY,
    "request_disk": classads.REQUEST_DISK,
}

_NOT_TO_BE_HELD = (JobStatus.HELD, JobStatus.COMPLETED, JobStatus.REMOVED)


class MemoryQueue:
    """Nothing runs by itself: `change` and `leave` do to a job what HTCondor would.

    Set `unavailable` to a sentence and every verb raises Unavailable with it, until it is empty again; set
    `loses_answers` and a job is queued, but its submitter never hears of it.
    """

    def __init__(self, now: Callable[[], float] = lambda: 0.0) -> None:
        self.unavailable = ""
        self.loses_answers = False
        self._now = now
        self._queue: dict[int, classad2.ClassAd] = {}
        self.left: list[classad2.ClassAd] = []
        self._last_id = 0
        self._changes = 0

    def submit(self, description: SubmitDescription) -> int:
        self._begin()
        self._last_id += 1
        ad = _ad(description.commands)
        ad[classads.CLUSTER_ID] = self._last_id
        ad[classads.SUBMITTED_AT] = int(self._now())
        ad[classads.STARTS] = 0
        self._queue[self._last_id] = ad
        self.change(self._last_id, JobStatus.IDLE)
        if self.loses_answers:
            raise Unavailable("The schedd hung up.")
        return self._last_id

    def find(self, selection: Selection, page: Page | None = None) -> list[JobAd]:
        self._begin()
        ads = [plain(ad) for ad in self._matching(selection)]
        return ads if page is None else page.of(ads, page.order.place)

    def count(self, selection: Selection, most: int) -> int:
        return min(most, len(self.find(selection)))

    def pulse(self) -> object:
        return self._changes

    def remove(self, selection: Selection, reason: str) -> int:
        self._begin()
        removed = [ad for ad in self._matching(selection) if ad[classads.JOB_STATUS] != JobStatus.REMOVED]
        for ad in removed:
            self.leave(ad[classads.CLUSTER_ID], JobStatus.REMOVED, RemoveReason=reason)
        return len(removed)

    def hold(self, selection: Selection, reason: str, subcode: int) -> int:
        self._begin()
        held = [ad for ad in self._matching(selection) if ad[classads.JOB_STATUS] not in _NOT_TO_BE_HELD]
        for ad in held:
            why: dict[str, Value] = {classads.HOLD_REASON: reason, classads.HOLD_REASON_SUBCODE: subcode}
            self.change(ad[classads.CLUSTER_ID], JobStatus.HELD, HoldReasonCode=int(HoldCode.BY_HAND), **why)
        return len(held)

    def release(self, selection: Selection) -> int:
        self._begin()
        held = [ad for ad in self._matching(selection) if ad[classads.JOB_STATUS] == JobStatus.HELD]
        for ad in held:
            self.change(ad[classads.CLUSTER_ID], JobStatus.IDLE)
        return len(held)

    def edit(self, selection: Selection, attributes: Mapping[str, str]) -> int:
        self._begin()
        edited = self._matching(selection)
        for ad in edited:
            for name, expression in attributes.items():
                ad[name] = classad2.ExprTree(expression)
        return len(edited)

    def silent(self) -> tuple[str, ...]:
        return ("HTCONDOR_SCHEDD",) if self.unavailable else ()

    def change(self, job_id: int, status: JobStatus, **attributes: Value) -> None:
        """A job in the queue enters another state, or gets other attributes."""
        self._changes += 1
        self._queue[job_id].update(
            {classads.JOB_STATUS: int(status), classads.ENTERED_STATUS_AT: int(self._now()), **attributes}
        )

    def leave(self, job_id: int, status: JobStatus, **attributes: Value) -> None:
        """A job ends and leaves the queue."""
        self.change(job_id, status, **attributes)
        self.left.append(self._queue.pop(job_id))

    def _matching(self, selection: Selection) -> list[classad2.ClassAd]:
        wanted = classad2.ExprTree(constraint(selection))
        return [ad for ad in self._queue.values() if wanted.eval(ad) is True]

    def _begin(self) -> None:
        if self.unavailable:
            raise Unavailable(self.unavailable)


class MemoryMachines:
    """Set `unavailable` to a sentence and it raises Unavailable with it, until it is empty again."""

    def __init__(self) -> None:
        self.unavailable = ""
        self.present: list[Slot] = []

    def slots(self) -> list[Slot]:
        if self.unavailable:
            raise Unavailable(self.unavailable)
        return list(self.present)


class MemoryArchive:
    """Of the jobs that have left a queue in memory, at once. attempts: by job."""

    def __init__(self, queue: MemoryQueue, sandboxes: Sandboxes) -> None:
        self.told: dict[int, tuple[Attempt, ...]] = {}
        self._queue, self._sandboxes = queue, sandboxes

    def find(
        self, selection: Selection, shown: Collection[Status] | None, page: Page, detail: bool = False
    ) -> list[Finished]:
        if self._queue.unavailable:
            raise Unavailable(self._queue.unavailable)
        wanted = classad2.ExprTree(constraint(replace(selection, statuses=None)))
        jobs = [self._finished(ad, detail) for ad in self._queue.left if wanted.eval(ad) is True]
        fitting = [job for job in jobs if shown is None or job.status in shown]
        return page.of(fitting, lambda job: page.order.place(job.ad))

    def attempts(self, job_id: int) -> tuple[Attempt, ...]:
        return self.told.get(job_id, ())

    def _finished(self, ad: classad2.ClassAd, detail: bool) -> Finished:
        known = plain(ad)
        job = finished(known, labels(ad), *files_of(str(known[classads.JOB_UID]), self._sandboxes))
        return job if detail else replace(job, spec=None, report=None)


class MemorySandboxes:
    """Files by uid and name. A name in `unusable` is there and must not be read; `full` refuses new sandboxes."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.fromtimestamp(0, UTC)) -> None:
        self._now = now
        self._made_at: dict[str, datetime] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.unusable: set[str] = set()
        self.full = False

    def make(self, uid: str, files: Mapping[str, str]) -> str:
        if self.full:
            raise NoRoom("There is no room for the job's files.")
        self.files[uid] = {name: text.encode() for name, text in files.items()}
        self._made_at[uid] = self._now()
        return f"/sandboxes/{uid}"

    def replace(self, uid: str, name: str, text: str) -> None:
        if self.full or uid not in self.files:
            raise Unavailable("The job's files cannot be changed.")
        self.files[uid][name] = text.encode()

    def add(self, uid: str, name: Callable[[int], str], text: str) -> int:
        if self.full or uid not in self.files:
            raise Unavailable("The job's files cannot be changed.")
        number = next(number for number in itertools.count(1) if name(number) not in self.files[uid])
        self.files[uid][name(number)] = text.encode()
        return number

    def discard(self, uid: str) -> None:
        self.files.pop(uid, None)

    def last_changes(self) -> dict[str, datetime]:
        return {uid: self._made_at[uid] for uid in self.files}

    def exists(self, uid: str) -> bool:
        return uid in self.files

    def read(self, uid: str, name: str) -> bytes | None:
        if name in self.unusable:
            raise Unusable(f"{name} is not a file that we would read")
        return self.files.get(uid, {}).get(name)

    def open(self, uid: str, name: str) -> BinaryIO | None:
        content = self.read(uid, name)
        return None if content is None else io.BytesIO(content)


class MemoryIdentities:
    """Tokens are looked up in a table."""

    def __init__(self, known: Mapping[str, Identity]) -> None:
        self._known = known

    def who(self, token: str) -> Identity:
        if token not in self._known:
            raise Unauthenticated("The token is not known.")
        return self._known[token]


def _ad(commands: Mapping[str, str]) -> classad2.ClassAd:
    """What the schedd would make of the commands that matter to us."""
    ad = classad2.ClassAd()
    for name, text in commands.items():
        if name.startswith("My."):
            ad[name.removeprefix("My.")] = classad2.ExprTree(text)
        elif name in _ATTRIBUTE_OF:
            ad[_ATTRIBUTE_OF[name]] = classad2.ExprTree(text)
    for attribute in _ATTRIBUTE_OF.values():
        if attribute in ad:
            ad[attribute] = ad.eval(attribute)  # what is asked for depends on the worker; of none, it is the least
    ad[classads.ACCOUNTING_USER] = commands["accounting_group_user"]
    if "accounting_group" in commands:
        ad[classads.ACCOUNTING_GROUP] = commands["accounting_group"]
    return ad
