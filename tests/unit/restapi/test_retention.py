"""What has had its time is taken away, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import NOON
from builders_restapi import Api, an_api
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads
from prominence.core.jobid import JobId
from prominence.core.states import JobStatus
from prominence.restapi import ledger
from prominence.restapi.ledger import JobRecord
from prominence.restapi.limits import Limits
from prominence.restapi.mail import outbox
from prominence.restapi.mail.letters import Letter
from prominence.restapi.members import whole
from prominence.restapi.objects import Stored
from prominence.restapi.retention.charges import corrected
from prominence.restapi.retention.rules import Cleaning, Seen, clean
from prominence.restapi.retention.sweep import plan, sweep

DAY = timedelta(days=1)
LIMITS = Limits(uploads_kept=10 * DAY, outputs_kept=5 * DAY, jobs_kept=20 * DAY)
UID, OTHER = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"


def stored(name: str, days_ago: float) -> Stored:
    return Stored(name, 1, NOON - days_ago * DAY)


def a_record(days_ago: float = 0, **changes: object) -> JobRecord:
    return JobRecord(**{"user": "alice", "made_at": NOON - days_ago * DAY, **changes})  # type: ignore[arg-type]


def cleaned(**seen: object) -> Cleaning:
    return clean(Seen(**seen), LIMITS, NOON)  # type: ignore[arg-type]


def test_an_upload_goes_when_its_time_is_over() -> None:
    uploads = [stored("uploads/alice/old", 10), stored("groups/physics/old", 11), stored("uploads/alice/new", 9.9)]
    assert cleaned(uploads=uploads).objects == ("uploads/alice/old", "groups/physics/old")


def test_a_jobs_outputs_go_together_after_the_last_of_them() -> None:
    outputs = [stored(f"scratch/{UID}/a", 9), stored(f"scratch/{UID}/b/c", 4), stored(f"scratch/{OTHER}/a", 5)]
    assert cleaned(outputs=outputs).objects == (f"scratch/{OTHER}/a",)


def test_nothing_of_a_job_in_the_queue_goes() -> None:
    everything = {
        "outputs": [stored(f"scratch/{UID}/a", 99)],
        "records": {UID: a_record(99)},
        "sandboxes": {UID: NOON - 99 * DAY},
    }
    assert cleaned(**everything, queued=frozenset({UID})) == Cleaning()
    assert cleaned(**everything) == Cleaning((f"scratch/{UID}/a",), (UID,), (UID,))


def test_a_letter_goes_when_nothing_else_is_left_of_its_job() -> None:
    letters = {UID: NOON - 2 * DAY, OTHER: NOON - 0.9 * DAY}
    assert cleaned(letters=letters, sandboxes={}).letters == (UID,)
    assert cleaned(letters=letters, sandboxes={UID: NOON - DAY}).letters == ()
    assert cleaned(letters=letters, sandboxes={}, queued=frozenset({UID})).letters == ()
    assert cleaned(letters=letters, sandboxes=None).letters == ()
    assert cleaned(letters=letters, sandboxes={}, queued=None).letters == ()


def test_the_letter_of_a_job_that_never_came_to_be_is_swept_away() -> None:
    api = an_api()
    outbox.LETTERS.put(UID, Letter(address="alice@example.org", made_at=NOON), api.store)
    assert sweep(api.services).letters == ()
    api.clock.advance(DAY.total_seconds())
    assert sweep(api.services).letters == (UID,)
    assert outbox.LETTERS.all(api.store) == {}


def test_a_queue_that_does_not_answer_is_not_an_empty_one() -> None:
    seen = {
        "uploads": [stored("uploads/alice/a", 99)],
        "outputs": [stored(f"scratch/{UID}/a", 99)],
        "records": {UID: a_record(99)},
        "sandboxes": {UID: NOON - 99 * DAY},
    }
    assert cleaned(**seen, queued=None) == Cleaning(objects=("uploads/alice/a",))


def test_an_object_store_that_does_not_answer_is_not_an_empty_one() -> None:
    assert cleaned(outputs=None, records={UID: a_record(99, written={"a": 1})}) == Cleaning()


def test_a_record_of_a_job_without_outputs_goes_when_an_output_would_have() -> None:
    assert cleaned(records={UID: a_record(5), OTHER: a_record(4)}).records == (UID,)


def test_a_record_stays_as_long_as_what_it_counts() -> None:
    outputs = [stored(f"scratch/{UID}/a", 1)]
    assert cleaned(outputs=outputs, records={UID: a_record(99)}).records == ()


ages = st.floats(0, 40)


@given(
    uploads=st.lists(ages, max_size=3),
    outputs=st.lists(st.tuples(st.sampled_from([UID, OTHER]), ages), max_size=4),
    sandboxes=st.dictionaries(st.sampled_from([UID, OTHER]), ages),
    queued=st.one_of(st.none(), st.frozensets(st.sampled_from([UID, OTHER]))),
    later=st.floats(0, 40),
)
def test_what_goes_now_goes_later_too_and_nothing_goes_before_its_time(
    uploads: list[float],
    outputs: list[tuple[str, float]],
    sandboxes: dict[str, float],
    queued: frozenset[str] | None,
    later: float,
) -> None:
    seen = Seen(
        uploads=[stored(f"uploads/alice/{n}", age) for n, age in enumerate(uploads)],
        outputs=[stored(f"scratch/{uid}/{n}", age) for n, (uid, age) in enumerate(outputs)],
        sandboxes={uid: NOON - age * DAY for uid, age in sandboxes.items()},
        queued=queued,
    )
    now, then = clean(seen, LIMITS, NOON), clean(seen, LIMITS, NOON + later * DAY)
    assert set(now.objects) <= set(then.objects)
    assert set(now.sandboxes) <= set(then.sandboxes)
    young = {one.name for one in (*(seen.uploads or ()), *(seen.outputs or ())) if one.modified_at > NOON - 5 * DAY}
    assert not young & set(now.objects)


NAMES = st.sampled_from(["a", "b/c", "3/a"])


@given(
    charged=st.dictionaries(st.sampled_from([UID, f"{UID}/3", OTHER]), st.dictionaries(NAMES, st.integers(0, 9))),
    there=st.dictionaries(st.tuples(st.sampled_from([UID, f"{UID}/3", OTHER]), NAMES), st.integers(0, 9)),
    queued=st.frozensets(st.sampled_from([UID, OTHER])) | st.none(),
)
def test_what_is_there_counts_and_of_jobs_that_are_over_nothing_else(
    charged: dict[str, dict[str, int]], there: dict[tuple[str, str], int], queued: frozenset[str] | None
) -> None:
    outputs = [replace(stored(f"scratch/{uid}/{name}", 0), size=size) for (uid, name), size in there.items()]
    sizes = {one.name: one.size for one in outputs}
    corrections = list(corrected(Seen(outputs=outputs, records=_records(charged), queued=queued)))
    for uid, name, size in corrections:
        charged[uid][name] = size
    assert list(corrected(Seen(outputs=outputs, records=_records(charged), queued=queued))) == []
    for uid, written in charged.items():
        is_over = queued is not None and whole(uid) not in queued
        for name, size in written.items():
            is_there = sizes.get(f"scratch/{uid}/{name}", 0)
            assert size == is_there if is_over else size >= is_there
    assert list(corrected(Seen(outputs=None, records=_records(charged), queued=queued))) == []


def _records(charged: dict[str, dict[str, int]]) -> dict[str, JobRecord]:
    return {uid: a_record(written=written) for uid, written in charged.items()}


class TestSweep:
    @pytest.fixture
    def api(self) -> Api:
        return an_api(limits=LIMITS)

    def test_what_has_had_its_time_is_gone_afterwards(self, api: Api) -> None:
        job = api.submit()
        uid = api.uid(job)
        ledger.open_record(uid, JobRecord(user="alice", made_at=NOON, output_files=("a",)), api.store)
        ledger.charge(uid, "a", 100, api.store)
        api.objects.store(f"scratch/{uid}/a", b"x" * 100)
        api.objects.store("uploads/alice/a", b"x")
        api.clock.advance(30 * 86400)
        sweep(api.services)
        assert [one.name for one in api.objects.list("")] == [f"scratch/{uid}/a"]
        assert api.sandboxes.exists(uid)
        api.queue.leave(job, JobStatus.COMPLETED, **{classads.EXIT_CODE: 0})
        sweep(api.services)
        assert api.objects.list("") == []
        assert not api.sandboxes.exists(uid)
        assert ledger.outputs_of("alice", api.store) == 0
        assert ledger.find(uid, api.store) is None
        assert plan(api.services) == Cleaning()

    def test_who_has_said_too_little_is_charged_for_what_is_there(self, api: Api) -> None:
        job = api.submit()
        uid = api.uid(job)
        ledger.open_record(uid, JobRecord(user="alice", made_at=NOON, output_files=("*",)), api.store)
        for name, said, sent in (("small", 0, 70), ("large", 60, 10), ("never", 50, None)):
            ledger.charge(uid, name, said, api.store)
            if sent is not None:
                api.objects.store(f"scratch/{uid}/{name}", b"x" * sent)
        sweep(api.services)
        assert ledger.outputs_of("alice", api.store) == 70 + 60 + 50, "more may still be under way"
        api.queue.leave(job, JobStatus.COMPLETED, **{classads.EXIT_CODE: 0})
        sweep(api.services)
        assert ledger.outputs_of("alice", api.store) == 70 + 10

    def test_what_is_written_anew_while_it_is_swept_stays(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        name, listed = "uploads/alice/a", api.objects.list
        api.objects.store(name, b"old")
        api.clock.advance(30 * 86400)

        def list_and_write(folder: str) -> list[Stored]:
            found = listed(folder)
            api.objects.store(name, b"new")
            return found

        monkeypatch.setattr(api.objects, "list", list_and_write)
        assert sweep(api.services).objects == (name,)
        assert api.objects.stat(name) is not None

    def test_what_does_not_answer_is_left_for_the_next_time(self, api: Api) -> None:
        uid = api.uid(api.submit())
        api.clock.advance(30 * 86400)
        api.queue.unavailable = api.objects.unavailable = "Gone."
        assert sweep(api.services) == Cleaning()
        assert api.sandboxes.exists(uid)


def test_what_belongs_to_an_array_stays_until_the_last_member_has_gone() -> None:
    everything = {
        "outputs": [stored(f"scratch/{UID}/0/a", 9), stored(f"scratch/{UID}/1/a", 6)],
        "records": {UID: a_record(90), f"{UID}/0": a_record(90), f"{UID}/1": a_record(90)},
        "sandboxes": {UID: NOON - 90 * DAY},
    }
    assert cleaned(**everything, queued=frozenset({UID})) == Cleaning()
    assert cleaned(**everything) == Cleaning(
        objects=(f"scratch/{UID}/0/a", f"scratch/{UID}/1/a"),
        records=(UID, f"{UID}/0", f"{UID}/1"),
        sandboxes=(UID,),
    )
    everything["outputs"] = [stored(f"scratch/{UID}/0/a", 9), stored(f"scratch/{UID}/1/a", 4)]
    assert cleaned(**everything) == Cleaning(sandboxes=(UID,))


def test_the_sweep_knows_an_array_by_any_of_its_members_in_the_queue() -> None:
    api = an_api(limits=LIMITS)
    array = api.submit_array(2, outputFiles=["out.txt"])
    api.finish(JobId.member(array, 0))
    api.clock.advance(100 * DAY.total_seconds())
    assert sweep(api.services) == Cleaning()
    assert api.get(f"/arrays/{array}")["statuses"] == {"idle": 1, "completed": 1}
    api.call("DELETE", f"/jobs/{array}.1")
    uid = api.uid(array)
    assert sweep(api.services) == Cleaning(records=(uid,), sandboxes=(uid,))
    assert api.sandboxes.files == {}
