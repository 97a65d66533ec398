"""What the API needs of the world: a queue of jobs, a place for their files, somebody who knows the callers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from types import MappingProxyType
from typing import IO, BinaryIO, Protocol

from prominence.core.errors import ProminenceError, Unauthenticated
from prominence.core.states import Status
from prominence.core.view import JobAd
from prominence.restapi.finished import Attempt, Finished, LastJob, Left
from prominence.restapi.identity import Identity
from prominence.restapi.objects import Form, Put, Reach, Stored, Terms
from prominence.restapi.paging import Page
from prominence.restapi.resources import Slot
from prominence.restapi.selection import Selection
from prominence.restapi.signing import Act, Permission
from prominence.restapi.translate.submit import SubmitDescription
from prominence.restapi.usage import By, Period, Sum, Whose
from prominence.restapi.webhooks.rules import SENTENCES, Trouble


class JobQueue(Protocol):
    """The access point's queue. Every verb raises Unavailable when it is silent."""

    def submit(self, description: SubmitDescription, count: int = 1) -> int:
        """Queue a job, or an array of so many, all of it or nothing; its id.

        After Unavailable it may be there all the same: look for it by its uid.
        """

    def find(self, selection: Selection, page: Page | None = None) -> list[JobAd]:
        """Jobs in the queue that belong on this page, or all of them in no order."""

    def one(self, selection: Selection) -> JobAd | None:
        """A job in the queue, whichever of them; None when there is none."""

    def count(self, selection: Selection, most: int) -> int:
        """How many jobs there are in the queue; it need not count further than `most`."""

    def pulse(self) -> object:
        """Something that is different whenever something has happened to a job since; never raises."""

    def remove(self, selection: Selection, reason: str) -> int:
        """Take jobs out of the queue, ending those that run; how many. A job on its way out is not counted."""

    def hold(self, selection: Selection, reason: str, subcode: int) -> int:
        """Let jobs not start, ending the attempts of those that run; how many. subcode: states.HELD_BY_..."""

    def release(self, selection: Selection) -> int:
        """Let jobs that are held start again; how many."""

    def edit(self, selection: Selection, attributes: Mapping[str, str]) -> int:
        """Give jobs other attributes, by name, each an expression of ClassAds; how many. May be repeated."""

    def silent(self) -> tuple[str, ...]:
        """The daemons that do not answer; never raises."""


@dataclass(frozen=True)
class MachineToken:
    """With what a machine of a user's joins the pool. lifetime_s: for so many seconds.

    collector: host[:port] where, and trust_domain: of which pool; "" where that is not told.
    """

    token: str = field(repr=False)
    lifetime_s: int
    collector: str = ""
    trust_domain: str = ""


class WorkerTokens(Protocol):
    """Tokens by which machines of a user's join the pool, for that user's jobs alone. Verbs raise Unavailable."""

    def mint(self, owner: str) -> MachineToken:
        """A new token for machines of this owner's (`classads.owner`)."""

    def revoke(self, owner: str) -> None:
        """No token that was minted for this owner is accepted any more."""


class Machines(Protocol):
    """The workers of the pool."""

    def slots(self) -> list[Slot]:
        """What there is of each and what is free; machines of others, that take no job of ours, are left out.

        Raises Unavailable.
        """


class Archive(Protocol):
    """What became of jobs. Every verb raises Unavailable when it cannot be told.

    Whoever finds a job no longer in the queue finds it here, unless it left more than a second before it is booked.
    """

    def find(
        self, selection: Selection, shown: Collection[Status] | None, page: Page, detail: bool = False
    ) -> list[Finished]:
        """Jobs that have left the queue and belong on this page. Selection's statuses do not matter, `shown` does.

        With `detail` all that is kept of each.
        """

    def is_current(self) -> bool:
        """Whether all is booked that has left the queue; this is waited for, but no longer than a second."""

    def left(self, uids: Collection[str]) -> list[Finished]:
        """Those of these jobs and workflows that have left the queue, with all that is kept of each; at once."""

    def attempts(self, job_id: int) -> tuple[Attempt, ...]:
        """The attempts of a job, whether it is still in the queue or not."""

    def last_jobs(self, workflows: Collection[int]) -> list[LastJob]:
        """Of each of these workflows the newest job of each instance of which one has left the queue."""

    def arrays(self, selection: Selection, most: int, without: Collection[int] = ()) -> Mapping[int, Left]:
        """What has left the queue of arrays, by their ids, of the `most` newest of which something has.

        selection: of its fields user and array matter alone. without: ids of members that are not counted.
        """


class UsageStore(Protocol):
    """What jobs have used that have left the queue. Every verb raises Unavailable when it cannot be told.

    A job that is booked twice counts once. It is booked as soon as an `Archive` has it, and an attempt when it ends.
    """

    def by_user(self, period: Period, user: str, groups: Collection[str] | None) -> Mapping[str, Sum]:
        """What users have used in the period: this one all of it, others what is charged to these groups. Of the sums
        jobs, core_ms and cpu_ms are told.

        groups: None for all that everybody has used. Who has used nothing is not there.
        """

    def by_group(self, period: Period, groups: Collection[str] | None) -> Mapping[str, Sum]:
        """What is charged to these groups, None: to any group there is. Those to which nothing is are not there."""

    def grouped(self, by: Sequence[By], period: Period, whose: Whose) -> Mapping[tuple[str, ...], Sum]:
        """What they have used in the period, told apart so; one name for each of `by`."""


class Unusable(ProminenceError):
    """There is a file, and it is not one that we would read: a link, a device, too large."""


IS_BEING_CHANGED = "The job is being changed by another request: repeat yours."

LARGEST_READ = 2 * 1024 * 1024
"""Bytes of the largest file that `Sandboxes.read` gives."""


class Sandboxes(Protocol):
    """A directory for each job, each array and each workflow, by its uid.

    HTCondor writes into it what a worker sends: no file is trusted.
    """

    def make(
        self, uid: str, files: Mapping[str, str], within: Mapping[str, Mapping[str, str]] = MappingProxyType({})
    ) -> str:
        """Make the directory with these text files in it, whole or not at all; its path. Raises Unavailable.

        within: directories in it, by name, each with its files; see `members`.
        Raises NoRoom when the disk is full, or so nearly full that what is left is kept for the jobs there are.
        """

    def replace(self, uid: str, name: str, text: str) -> None:
        """Write a file anew, whole or not at all. Raises Unavailable, also where there is no such directory."""

    def add(self, uid: str, name: Callable[[int], str], text: str) -> int:
        """Write a new file, whole or not at all, by the first name that is free; its number, counted from 1.

        Raises Unavailable, also where there is no such directory.
        """

    def alone(self, uid: str) -> AbstractContextManager[None]:
        """Within it nobody else changes the job, in whichever process. Raises Conflict where somebody does already;
        Unavailable. What is not there is fine.
        """

    def discard(self, uid: str) -> None:
        """Remove it with all it holds. What is not there is fine."""

    def last_changes(self) -> Mapping[str, datetime]:
        """When something was last put into each, or taken out, by uid. Raises Unavailable.

        The directory of an array is one with those of its members.
        """

    def exists(self, uid: str) -> bool:
        """Whether the job has one (still)."""

    def directory(self, uid: str) -> str:
        """Its path, as `make` told it."""

    def read(self, uid: str, name: str) -> bytes | None:
        """What a small file holds; None when there is none. Raises Unusable."""

    def open(self, uid: str, name: str) -> BinaryIO | None:
        """A file of any size, to be closed by the caller; None when there is none. Raises Unusable."""


class NotOurs(Unauthenticated):
    """The token is of another kind; somebody else may know it."""


class Identities(Protocol):
    """Who knows the callers."""

    def who(self, token: str) -> Identity:
        """Whose token it is. Raises Unauthenticated for any token that is not good, whatever is wrong with it; of
        these NotOurs for one of another kind. Forbidden for somebody who may not use this service. Unavailable.
        """


class ObjectStore(Protocol):
    """Files of users and jobs, by name. What is in them goes by signed addresses, never through these verbs.

    An address permits one act on one object and expires; where it says how much may come, or what, the store holds
    to it. An object appears whole or not at all, in place of the one of its name; what broke off leaves nothing.
    Every verb raises Unavailable when the store does not answer.
    """

    def url_to_get(self, name: str, lifetime_s: int, reach: Reach) -> str:
        """Where to GET the object, whether it is there or not."""

    def url_to_put(self, name: str, terms: Terms, reach: Reach) -> Put:
        """Where to PUT the object."""

    def form_to_post(self, name: str, terms: Terms, reach: Reach) -> Form | None:
        """Where to POST the object as a form; None where a PUT is held to all of its terms as well."""

    def stat(self, name: str) -> Stored | None:
        """The object; None when there is none."""

    def list(self, folder: str) -> list[Stored]:
        """All objects beneath the folder, by name. "uploads/bob" is not beneath "uploads/bobby", nor "uploads/bo"."""

    def delete(self, name: str) -> None:
        """Take the object away; what is not there is fine."""


READ_INPUTS, WRITE_OUTPUTS = "inputs:read", "outputs:write"
JOB_SCOPES = (READ_INPUTS, WRITE_OUTPUTS)
"""All that a job's token is good for, with that job's own inputs and outputs."""


class JobTokens(Protocol):
    """Tokens by which a job's executor is known. No user's token is one, and none of these is a user's."""

    def mint(self, uid: str, user: str) -> str:
        """A token for the job with this uid, of this user."""

    def whose(self, token: str, scope: str) -> str:
        """The uid of the job whose token it is, if it is good for this. Raises Unauthenticated for any other."""


class ServedObjects(Protocol):
    """What stands behind the signed addresses of a store that the API serves itself."""

    def permission(self, act: Act, name: str, given: Mapping[str, str]) -> Permission:
        """What an address with this query permits. Raises Forbidden."""

    def open(self, name: str) -> tuple[BinaryIO, Stored, str] | None:
        """An object's content, to be closed by the caller, what is known of it, and a tag that changes with it."""

    def tidy(self, before: datetime) -> None:
        """Take away what is left of uploads that broke off before this moment. Raises Unavailable."""

    def receive(self, allowed: Permission, announced: int | None, content: IO[bytes]) -> str:
        """Take an object in; its SHA-256 in hexadecimal digits. announced: its size, where the sender says so.

        Raises TooLarge, QuotaReached, Rejected, Unavailable.

        `content` may raise what it likes when its sender is gone; then there is nothing.
        """


class Deferred(ProminenceError):
    """The mail server does not take this message now; later it may."""


class Undeliverable(ProminenceError):
    """The mail server will never take this message."""


class Mailer(Protocol):
    """Who brings messages to people."""

    def send(self, message: EmailMessage) -> None:
        """Hand it over; afterwards it is the mail server's to deliver.

        Raises Deferred and Undeliverable, which say nothing of other messages. Unavailable: no message can be sent
        now; this one may have been all the same.
        """

    def close(self) -> None:
        """No more messages for now."""


class NotTaken(ProminenceError):
    """A call was not taken. trouble: why. status: what was answered, if anything was."""

    def __init__(self, trouble: Trouble, status: int | None = None) -> None:
        super().__init__(SENTENCES[trouble])
        self.trouble, self.status = trouble, status


class Caller(Protocol):
    """Who calls programs of users. It may be asked by several threads at once."""

    def call(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """POST this there, if the address is one that may be called; it was taken when this returns. Raises NotTaken:
        then it may have arrived all the same.
        """
