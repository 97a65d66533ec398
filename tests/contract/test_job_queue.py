"""What every JobQueue promises.

With PROMINENCE_TEST_SCHEDD=local the same tests run on the schedd of the machine they run on, as an account that may
submit there; PROMINENCE_TEST_SANDBOXES is then the directory for the jobs' files, PROMINENCE_TEST_ARCHIVE
and _HISTORY are the files of the archive and of HTCondor's history. Otherwise they run in memory.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import a_job

from prominence.core import classads
from prominence.core.errors import Unavailable
from prominence.core.jobid import JobId
from prominence.core.reasons import Reason
from prominence.core.states import HELD_BY_OPERATOR, HELD_BY_USER, HoldCode, JobStatus, Status
from prominence.core.view import JobAd
from prominence.restapi.adapters.memory import MemoryArchive, MemoryQueue
from prominence.restapi.adapters.memory_sandboxes import MemorySandboxes
from prominence.restapi.identity import Account
from prominence.restapi.paging import Key, Order, Page
from prominence.restapi.ports import Archive, JobQueue, Sandboxes
from prominence.restapi.selection import ANY_KIND, Event, Kind, Selection, Span
from prominence.restapi.translate.site import Site
from prominence.restapi.translate.submit import describe, of_array

ON_HTCONDOR = os.environ.get("PROMINENCE_TEST_SCHEDD") == "local"

HOSTILE = [
    'eve" || true || "',
    "eve\\",
    "eve\\\" || true",
    "eve\nqueue 1000\nMy.Owner = \"root\"",
    "$(HOME) $$(Name) $ENV(PATH) $INT(1) $(DOLLAR)(x)",
    "%41%22 100%",
    "ünïcödé ☃ 日本語",
    "\x00\x01\x7f",
    "a.b@c/d e",
]  # fmt: skip


@pytest.fixture
def queue() -> JobQueue:
    if ON_HTCONDOR:
        from prominence.restapi.adapters.htcondor import HTCondorQueue

        return HTCondorQueue()
    return MemoryQueue(time.time)


@pytest.fixture
def sandboxes() -> Sandboxes:
    if ON_HTCONDOR:
        from prominence.restapi.adapters.sandboxes import LocalSandboxes

        return LocalSandboxes(Path(os.environ["PROMINENCE_TEST_SANDBOXES"]))
    return MemorySandboxes()


@pytest.fixture
def archive(queue: JobQueue, sandboxes: Sandboxes) -> Archive:
    if ON_HTCONDOR:
        from prominence.restapi.adapters.archive import SqliteArchive

        return SqliteArchive(Path(os.environ["PROMINENCE_TEST_ARCHIVE"]), Path(os.environ["PROMINENCE_TEST_HISTORY"]))
    assert isinstance(queue, MemoryQueue)
    return MemoryArchive(queue, sandboxes)


class Users:
    """Submits jobs that no machine can ever run, for users that nobody else has, and takes them away again."""

    def __init__(self, queue: JobQueue, sandboxes: Sandboxes) -> None:
        self._queue, self._sandboxes = queue, sandboxes
        self._uids: list[str] = []
        self._arrays: list[int] = []
        self._mark = uuid.uuid4().hex

    def called(self, name: str, group: str = "") -> Account:
        """A user whose name begins with this."""
        return Account(f"{name}-{self._mark}", group)

    def submit(self, user: Account, **changes: Any) -> int:
        """A job of this user; its id."""
        uid = str(uuid.uuid4())
        sandbox = self._sandboxes.make(uid, {"plan.json": "{}"})
        self._uids.append(uid)
        site = Site(executor="/bin/true")
        return self._queue.submit(describe(a_job(cpus=100_000, **changes), uid, user, sandbox, site))

    def submit_array(self, user: Account, count: int, **changes: Any) -> int:
        """An array of this user; its id."""
        uid = str(uuid.uuid4())
        sandbox = self._sandboxes.make(uid, {"plan.json": "{}"}, {str(place): {} for place in range(count)})
        self._uids.append(uid)
        job = describe(a_job(cpus=100_000, **changes), uid, user, sandbox, Site(executor="/bin/true"))
        array = self._queue.submit(of_array(job, uid, sandbox, count), count)
        self._arrays.append(array)
        return array

    def last_uid(self) -> str:
        """Of the job submitted last."""
        return self._uids[-1]

    def leave(self) -> None:
        """Take everything away."""
        for array in self._arrays:
            self._queue.remove(Selection(array=array), "the test is over")
        for uid in self._uids:
            self._queue.remove(Selection(uid=uid), "the test is over")
            self._sandboxes.discard(uid)


@pytest.fixture
def users(queue: JobQueue, sandboxes: Sandboxes) -> Iterator[Users]:
    everybody = Users(queue, sandboxes)
    yield everybody
    everybody.leave()


def ids(ads: list[JobAd]) -> list[int]:
    return sorted(int(ad[classads.CLUSTER_ID]) for ad in ads)


def soon(look: Callable[[], Any]) -> Any:
    """What `look` gives once it is true; the schedd moves a job to its history at its leisure."""
    deadline = time.monotonic() + 20
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


class TestJobQueue:
    def test_a_job_is_there_as_soon_as_it_is_submitted(self, queue: JobQueue, users: Users) -> None:
        alice = users.called("alice", "physics")
        job = users.submit(alice, memory=2.5, disk=1, walltime=3)
        [ad] = queue.find(Selection(ids=(job,)))
        assert ad[classads.JOB_STATUS] == JobStatus.IDLE
        assert ad[classads.JOB_UID] == users.last_uid()
        assert ad[classads.IDENTITY] == alice.user
        assert ad[classads.ACCOUNTING_USER] == alice.user
        assert ad[classads.ACCOUNTING_GROUP] == "physics"
        assert ad[classads.REQUEST_CPUS] == 100_000
        assert ad[classads.REQUEST_MEMORY] == 2500
        assert ad[classads.REQUEST_DISK] == 1024 * 1024
        assert ad[classads.WALLTIME] == 180
        assert ad[classads.STARTS] == 0
        assert abs(int(ad[classads.SUBMITTED_AT]) - time.time()) < 60

    def test_ids_only_grow(self, users: Users) -> None:
        alice = users.called("alice")
        assert users.submit(alice) < users.submit(alice)

    def test_a_user_has_their_own_jobs_only(self, queue: JobQueue, users: Users) -> None:
        alice, bob = users.called("alice"), users.called("bob")
        mine = [users.submit(alice), users.submit(alice)]
        users.submit(bob)
        assert ids(queue.find(Selection(user=alice.user))) == mine

    def test_jobs_are_counted_as_far_as_is_asked_for(self, queue: JobQueue, users: Users) -> None:
        alice, bob = users.called("alice"), users.called("bob")
        for user in (alice, alice, alice, bob):
            users.submit(user)
        assert [queue.count(Selection(user=alice.user), most) for most in (2, 3, 100)] == [2, 3, 3]
        assert queue.count(Selection(user=alice.user + "x"), 100) == 0

    def test_users_who_differ_in_case_are_two(self, queue: JobQueue, users: Users) -> None:
        upper, lower = users.called("Alice"), users.called("alice")
        job = users.submit(upper)
        assert queue.find(Selection(user=lower.user)) == []
        assert queue.remove(Selection(user=lower.user, ids=(job,)), "not mine") == 0

    @pytest.mark.parametrize("name", HOSTILE)
    def test_a_hostile_name_is_a_name_and_nothing_else(self, name: str, queue: JobQueue, users: Users) -> None:
        eve, alice = users.called(name, name), users.called("alice")
        of_alice, of_eve = users.submit(alice), users.submit(eve)
        assert ids(queue.find(Selection(user=eve.user))) == [of_eve]
        assert ids(queue.find(Selection(user=alice.user))) == [of_alice]
        assert queue.find(Selection(ids=(of_eve,)))[0][classads.IDENTITY] == eve.user
        assert queue.remove(Selection(user=eve.user, ids=(of_alice,)), "not mine") == 0

    def test_names_and_labels_are_looked_for_exactly(self, queue: JobQueue, users: Users) -> None:
        alice = users.called("alice")
        job = users.submit(alice, name="fit/1 a", labels={"app": "fit", "run": "1.0-b/2"})
        users.submit(alice, name="Fit/1 a", labels={"app": "fit"})
        users.submit(alice, name="fit/1", labels={"run": "1.0-b/2"})
        assert ids(queue.find(Selection(user=alice.user, name="fit/1 a"))) == [job]
        assert ids(queue.find(Selection(user=alice.user, labels=(("app", "fit"), ("run", "1.0-b/2"))))) == [job]
        assert queue.find(Selection(user=alice.user, labels=(("app", "Fit"),))) == []
        assert queue.find(Selection(user=alice.user, labels=(("nothing", "fit"),))) == []
        assert queue.find(Selection(user=alice.user, name='" || true || "')) == []

    def test_jobs_are_found_by_id_uid_and_status(self, queue: JobQueue, users: Users) -> None:
        alice = users.called("alice")
        first, second, third = (users.submit(alice) for _ in range(3))
        assert ids(queue.find(Selection(user=alice.user, ids=(first, third, 2**31 - 1)))) == [first, third]
        assert ids(queue.find(Selection(uid=users.last_uid()))) == [third]
        idle = Selection(user=alice.user, statuses=(JobStatus.RUNNING, JobStatus.IDLE))
        assert ids(queue.find(idle)) == [first, second, third]
        assert queue.find(Selection(user=alice.user, statuses=(JobStatus.HELD,))) == []

    def test_an_empty_choice_chooses_nothing(self, queue: JobQueue, users: Users) -> None:
        alice = users.called("alice")
        users.submit(alice)
        assert queue.find(Selection(user=alice.user, ids=())) == []
        assert queue.remove(Selection(user=alice.user, ids=()), "nothing") == 0

    def test_jobs_come_in_pages_and_in_order(self, queue: JobQueue, users: Users) -> None:
        alice = users.called("alice")
        jobs = [users.submit(alice, name=name) for name in ("b", "A", "b", "a")]
        of_alice = Selection(user=alice.user)

        def page(order: Order, limit: int | None, after: int | None = None) -> list[int]:
            place = order.place(queue.find(Selection(ids=(jobs[after],)))[0]) if after is not None else None
            return [int(ad[classads.CLUSTER_ID]) for ad in queue.find(of_alice, Page(order, limit, place))]

        newest, by_name = Order(Key.ID, descending=True), Order(Key.NAME)
        assert page(newest, 3) == jobs[:0:-1]
        assert page(newest, 3, after=1) == [jobs[0]]
        assert page(by_name, None) == [jobs[1], jobs[3], jobs[0], jobs[2]]
        assert page(by_name, 2, after=3) == [jobs[0], jobs[2]]
        assert page(Order(Key.CREATED), 2) == jobs[:2]

    def test_jobs_are_found_by_when_they_were_created(self, queue: JobQueue, users: Users) -> None:
        alice = users.called("alice")
        job = users.submit(alice)
        at = int(queue.find(Selection(ids=(job,)))[0][classads.SUBMITTED_AT])

        def found(event: Event, since: int | None, until: int | None) -> list[int]:
            return ids(queue.find(Selection(user=alice.user, spans=(Span(event, since, until),))))

        assert found(Event.CREATED, at, at + 1) == [job]
        assert found(Event.CREATED, at + 1, None) == found(Event.CREATED, None, at) == []
        assert found(Event.STARTED, 0, None) == found(Event.ENDED, 0, None) == []

    def test_a_removed_job_goes_to_the_archive_with_the_reason(
        self, queue: JobQueue, archive: Archive, users: Users
    ) -> None:
        alice = users.called("alice")
        job = users.submit(alice, name="fit", labels={"App": "x"})
        of_alice = Selection(user=alice.user, name="fit", labels=(("App", "x"),))
        assert queue.remove(Selection(user=alice.user, ids=(job,)), "deleted by the user") == 1
        [left] = soon(lambda: archive.find(of_alice, None, Page()))
        assert left.job_id == job
        assert left.ad[classads.JOB_STATUS] == JobStatus.REMOVED
        assert left.view.reason is Reason.DELETED_BY_USER
        assert queue.find(Selection(user=alice.user)) == []
        assert queue.remove(Selection(user=alice.user, ids=(job,)), "again") == 0

    def test_one_removal_takes_several_and_says_how_many(self, queue: JobQueue, users: Users) -> None:
        alice, bob = users.called("alice"), users.called("bob")
        mine, other = [users.submit(alice), users.submit(alice)], users.submit(bob)
        assert queue.remove(Selection(user=alice.user, ids=(*mine, other)), "deleted by the user") == 2
        assert ids(queue.find(Selection(user=bob.user))) == [other]

    def test_a_job_that_is_held_waits_until_it_is_released(self, queue: JobQueue, users: Users) -> None:
        alice = users.called("alice")
        job = users.submit(alice)
        only = Selection(user=alice.user, ids=(job,))
        assert queue.release(only) == 0
        assert queue.hold(only, "held by the user", HELD_BY_USER) == 1
        [ad] = queue.find(only)
        assert ad[classads.JOB_STATUS] == JobStatus.HELD
        assert ad[classads.HOLD_REASON_CODE] == HoldCode.BY_HAND
        assert ad[classads.HOLD_REASON_SUBCODE] == HELD_BY_USER
        assert str(ad[classads.HOLD_REASON]).startswith("held by the user")
        assert queue.hold(only, "held by the user", HELD_BY_USER) == 0
        assert queue.release(only) == 1
        assert queue.find(only)[0][classads.JOB_STATUS] == JobStatus.IDLE

    def test_a_job_is_given_other_attributes(self, queue: JobQueue, users: Users) -> None:
        alice = users.called("alice")
        job, other = users.submit(alice, labels={"old": "1"}), users.submit(alice)
        only = Selection(user=alice.user, ids=(job,))
        new = {classads.label("new"): classads.text_literal("2"), classads.label("old"): "undefined"}
        assert queue.edit(only, {**new, classads.WALLTIME: "60", "PeriodicHold": "false && NumJobStarts > 3"}) == 1
        assert ids(queue.find(Selection(user=alice.user, labels=(("new", "2"),)))) == [job]
        assert queue.find(Selection(user=alice.user, labels=(("old", "1"),))) == []
        assert queue.find(only)[0][classads.WALLTIME] == 60
        assert queue.find(Selection(ids=(other,)))[0][classads.WALLTIME] != 60
        assert queue.edit(Selection(user=alice.user, ids=()), {classads.WALLTIME: "1"}) == 0

    def test_an_array_is_queued_as_a_whole_and_its_members_are_found_by_their_numbers(
        self, queue: JobQueue, users: Users
    ) -> None:
        alice = users.called("alice", "physics")
        job, array = users.submit(alice), users.submit_array(alice, 3, name="fit", labels={"app": "x"})
        members = [JobId.member(array, index) for index in range(3)]
        ads = queue.find(Selection(array=array))
        assert sorted(JobId.of(ad) for ad in ads) == members
        assert {(ad[classads.JOB_NAME], ad[classads.ARRAY_COUNT], ad[classads.JOB_STATUS]) for ad in ads} == {
            ("fit", 3, JobStatus.IDLE)
        }
        [one] = queue.find(Selection(ids=(members[1], JobId.member(job, 1))))
        assert one[classads.JOB_UID] == f"{users.last_uid()}/1"
        assert queue.find(Selection(uid=f"{users.last_uid()}/1")) == [one]
        assert queue.find(Selection(ids=(array,))) == []
        assert queue.find(Selection(array=job)) == []
        assert ids(queue.find(Selection(ids=(job, members[2])))) == [job, array]

    def test_members_are_no_jobs_of_their_own_and_count_as_much(self, queue: JobQueue, users: Users) -> None:
        alice = users.called("alice")
        job, array = users.submit(alice, labels={"app": "x"}), users.submit_array(alice, 3, labels={"app": "x"})
        for selection in (Selection(user=alice.user), Selection(user=alice.user, labels=(("app", "x"),))):
            assert ids(queue.find(selection)) == [job]
        assert ids(queue.find(Selection(user=alice.user, kinds=(Kind.MEMBER,)))) == [array] * 3
        assert queue.count(Selection(user=alice.user, kinds=ANY_KIND), 100) == 4
        one = queue.one(Selection(array=array))
        assert one is not None
        assert JobId.of(one).cluster == array
        assert queue.one(Selection(array=job)) is None

    def test_members_come_in_pages(self, queue: JobQueue, users: Users) -> None:
        array = users.submit_array(users.called("alice"), 5)
        order = Order(Key.ID, descending=True)
        first = queue.find(Selection(array=array), Page(order, 2))
        rest = queue.find(Selection(array=array), Page(order, 9, order.place(first[-1])))
        assert [str(JobId.of(ad)) for ad in (*first, *rest)] == [f"{array}.{index}" for index in (4, 3, 2, 1, 0)]

    def test_an_act_is_on_one_member_or_on_all(self, queue: JobQueue, archive: Archive, users: Users) -> None:
        array = users.submit_array(users.called("alice"), 3)
        first = Selection(ids=(JobId.member(array, 0),))
        assert queue.hold(first, "held by an operator", HELD_BY_OPERATOR) == 1
        assert queue.hold(Selection(array=array, statuses=(JobStatus.IDLE,)), "held by the user", HELD_BY_USER) == 2
        assert queue.release(Selection(array=array, held=(HELD_BY_USER,))) == 2
        assert queue.find(first)[0][classads.JOB_STATUS] == JobStatus.HELD
        assert queue.remove(first, "deleted by the user") == 1
        assert sorted(JobId.of(ad).index or 0 for ad in queue.find(Selection(array=array))) == [1, 2]
        [left] = soon(lambda: archive.find(first, None, Page()))
        assert str(left.job_id) == f"{array}.0"
        assert queue.remove(Selection(array=array), "deleted by the user") == 2
        assert soon(lambda: not queue.find(Selection(array=array)))
        assert soon(lambda: archive.arrays(Selection(array=array), 1)[array].statuses == {Status.DELETED: 3})

    def test_nobody_is_silent(self, queue: JobQueue) -> None:
        assert queue.silent() == ()


def test_a_queue_that_does_not_answer_says_so() -> None:
    """In memory: what the real one raises is seen where a schedd can be stopped."""
    queue = MemoryQueue()
    queue.unavailable = "gone"
    with pytest.raises(Unavailable, match="gone"):
        queue.find(Selection())
    for verb in (
        lambda: queue.remove(Selection(), ""),
        lambda: queue.hold(Selection(), "", 1),
        lambda: queue.release(Selection()),
        lambda: queue.edit(Selection(), {}),
    ):
        with pytest.raises(Unavailable):
            verb()
    assert queue.silent() == ("HTCONDOR_SCHEDD",)
