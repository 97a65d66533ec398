"""What the API needs of the world, in this process, for unit tests: same promises, faults on request.

The queue understands the ClassAds it is given: attributes and constraints are HTCondor's own text, read by its own
library.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from email.message import EmailMessage

import classad2

from prominence.core import classads
from prominence.core.errors import Unauthenticated, Unavailable
from prominence.core.jobid import JobId
from prominence.core.states import HoldCode, JobStatus, Status
from prominence.core.view import JobAd
from prominence.restapi.archive.records import labels
from prominence.restapi.files import files_of
from prominence.restapi.finished import Attempt, Finished, LastJob, Left, finished
from prominence.restapi.identity import Identity
from prominence.restapi.paging import Key, Order, Page
from prominence.restapi.ports import MachineToken, Sandboxes
from prominence.restapi.resources import Slot
from prominence.restapi.selection import Kind, Selection
from prominence.restapi.translate.ads import plain
from prominence.restapi.translate.constraint import acted_on, constraint
from prominence.restapi.translate.submit import PLACE, SubmitDescription

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

    def submit(self, description: SubmitDescription, count: int = 1) -> int:
        self._begin()
        self._last_id += 1
        for place in range(count):
            ad = _ad({name: _of_place(text, place) for name, text in description.commands.items()})
            ad[classads.CLUSTER_ID], ad[classads.PROC_ID] = self._last_id, place
            ad[classads.SUBMITTED_AT] = int(self._now())
            ad[classads.STARTS] = 0
            self._queue[_number(ad)] = ad
            self.change(_number(ad), JobStatus.IDLE)
        if self.loses_answers:
            raise Unavailable("The schedd hung up.")
        return self._last_id

    def find(self, selection: Selection, page: Page | None = None) -> list[JobAd]:
        self._begin()
        ads = [plain(ad) for ad in self._matching(selection)]
        return ads if page is None else page.of(ads, page.order.place)

    def one(self, selection: Selection) -> JobAd | None:
        found = self.find(selection)
        return found[0] if found else None

    def count(self, selection: Selection, most: int) -> int:
        return min(most, len(self.find(selection)))

    def pulse(self) -> object:
        return self._changes

    def remove(self, selection: Selection, reason: str) -> int:
        self._begin()
        removed = [ad for ad in self._matching(selection, acted_on) if ad[classads.JOB_STATUS] != JobStatus.REMOVED]
        for ad in removed:
            self.leave(_number(ad), JobStatus.REMOVED, RemoveReason=reason)
        return len(removed)

    def hold(self, selection: Selection, reason: str, subcode: int) -> int:
        self._begin()
        held = [ad for ad in self._matching(selection, acted_on) if ad[classads.JOB_STATUS] not in _NOT_TO_BE_HELD]
        for ad in held:
            why: dict[str, Value] = {classads.HOLD_REASON: reason, classads.HOLD_REASON_SUBCODE: subcode}
            self.change(_number(ad), JobStatus.HELD, HoldReasonCode=int(HoldCode.BY_HAND), **why)
        return len(held)

    def release(self, selection: Selection) -> int:
        self._begin()
        held = [ad for ad in self._matching(selection, acted_on) if ad[classads.JOB_STATUS] == JobStatus.HELD]
        for ad in held:
            self.change(_number(ad), JobStatus.IDLE)
        return len(held)

    def edit(self, selection: Selection, attributes: Mapping[str, str]) -> int:
        self._begin()
        edited = self._matching(selection, acted_on)
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

    def _matching(self, selection: Selection, meant: Callable[[Selection], str] = constraint) -> list[classad2.ClassAd]:
        wanted = classad2.ExprTree(meant(selection))
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


class MemoryWorkerTokens:
    """Promise: see ports.WorkerTokens. `good`: the tokens that would be accepted now, with their owners."""

    def __init__(self) -> None:
        self.good: dict[str, str] = {}
        self.silent = False

    def mint(self, owner: str) -> MachineToken:
        self._answer()
        token = f"worker-token-{len(self.good) + 1}"
        self.good[token] = owner
        return MachineToken(token, 600, "condor.example.org", "prominence")

    def revoke(self, owner: str) -> None:
        self._answer()
        self.good = {token: whose for token, whose in self.good.items() if whose != owner}

    def _answer(self) -> None:
        if self.silent:
            raise Unavailable("Tokens for workers cannot be made at the moment.")


class MemoryArchive:
    """Of the jobs that have left a queue in memory, at once, or none while it is behind. told: attempts by job."""

    def __init__(self, queue: MemoryQueue, sandboxes: Sandboxes) -> None:
        self.told: dict[int, tuple[Attempt, ...]] = {}
        self.is_behind = False
        self._queue, self._sandboxes = queue, sandboxes

    def find(
        self, selection: Selection, shown: Collection[Status] | None, page: Page, detail: bool = False
    ) -> list[Finished]:
        if self._queue.unavailable:
            raise Unavailable(self._queue.unavailable)
        wanted = classad2.ExprTree(constraint(replace(selection, statuses=None)))
        booked = [] if self.is_behind else self._queue.left
        jobs = [self._finished(ad, detail) for ad in booked if wanted.eval(ad) is True]
        fitting = [job for job in jobs if shown is None or job.status in shown]
        return page.of(fitting, lambda job: page.order.place(job.ad))

    def is_current(self) -> bool:
        return not self.is_behind

    def left(self, uids: Collection[str]) -> list[Finished]:
        all_of_it = (
            self.find(one, None, Page(), detail=True) for one in (Selection(), Selection(kinds=(Kind.WORKFLOW,)))
        )
        return [job for some in all_of_it for job in some if job.ad[classads.JOB_UID] in uids]

    def attempts(self, job_id: int) -> tuple[Attempt, ...]:
        return self.told.get(job_id, ())

    def last_jobs(self, workflows: Collection[int]) -> list[LastJob]:
        found: dict[tuple[int, str], LastJob] = {}
        for workflow in workflows:
            for job in self.find(Selection(workflow=workflow), None, Page(Order(Key.ID))):
                uid = str(job.ad[classads.JOB_UID])
                found[workflow, uid] = LastJob(workflow, uid, job.job_id, job.status)
        return list(found.values())

    def arrays(self, selection: Selection, most: int, without: Collection[int] = ()) -> dict[int, Left]:
        members = Selection(user=selection.user, array=selection.array, kinds=(Kind.MEMBER,))
        found: dict[int, list[Finished]] = {}
        for job in self.find(members, None, Page(Order(Key.ID))):
            if job.job_id not in without:
                found.setdefault(job.job_id.cluster, []).append(job)
        return {
            array: Left(found[array][0].ad, Counter(job.status for job in found[array]))
            for array in sorted(found, reverse=True)[:most]
        }

    def _finished(self, ad: classad2.ClassAd, detail: bool) -> Finished:
        known = plain(ad)
        job = finished(known, labels(ad), *files_of(str(known[classads.JOB_UID]), self._sandboxes))
        return job if detail else replace(job, spec=None, report=None)


class MemoryIdentities:
    """Tokens are looked up in a table."""

    def __init__(self, known: Mapping[str, Identity]) -> None:
        self._known = known

    def who(self, token: str) -> Identity:
        if token not in self._known:
            raise Unauthenticated("The token is not known.")
        return self._known[token]


class MemoryMailer:
    """Keeps what it is given. Addresses in `fails` raise what is there for them; `unavailable` is a sentence."""

    def __init__(self) -> None:
        self.sent: list[EmailMessage] = []
        self.fails: dict[str, Exception] = {}
        self.unavailable = ""

    def send(self, message: EmailMessage) -> None:
        if self.unavailable:
            raise Unavailable(self.unavailable)
        if str(message["To"]) in self.fails:
            raise self.fails[str(message["To"])]
        self.sent.append(message)

    def close(self) -> None:
        pass


def _number(ad: classad2.ClassAd) -> int:
    return JobId.of(plain(ad, (classads.CLUSTER_ID, classads.ARRAY_INDEX, classads.NODE)))


def _of_place(text: str, place: int) -> str:
    """As the submit language has it for one process."""
    chosen = re.sub(r"\$CHOICE\(Process,(.*?)\)", lambda found: found[1].split(",")[place], text)
    return chosen.replace(PLACE, str(place))


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
