"""Which wish may follow which, and who may wish."""

from __future__ import annotations

import itertools

import pytest
from builders import NOON, a_request, a_size
from builders_imc import a_record, at

from prominence.core.errors import Conflict, NotFound, Unavailable
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.keyvalue.port import Lease
from prominence.core.machines import Wish, WorkerPhase
from prominence.imc import wishes
from prominence.imc.records import WORKERS, Record, Records

ALLOWED = {
    ("present", "present"),
    ("present", "drained"),
    ("present", "absent"),
    ("drained", "drained"),
    ("drained", "present"),
    ("drained", "absent"),
    ("absent", "absent"),
}


@pytest.fixture
def records() -> Records:
    return Records(MemoryKeyValue())


def test_a_new_name_is_stored_as_requested(records: Records) -> None:
    record, is_new = wishes.ask(records, "worker-1", a_request(), NOON)
    assert is_new
    assert records.get("worker-1") == record
    assert (record.phase, record.requested_at) == (WorkerPhase.REQUESTED, NOON)


def test_asking_twice_changes_nothing(records: Records) -> None:
    first, _ = wishes.ask(records, "worker-1", a_request(), NOON)
    assert wishes.ask(records, "worker-1", a_request(), at(5)) == (first, False)


@pytest.mark.parametrize(("old", "new"), list(itertools.product(Wish, Wish)))
def test_wishes_follow_each_other_in_one_direction(records: Records, old: Wish, new: Wish) -> None:
    wishes.ask(records, "worker-1", a_request(wish=old), NOON)
    if (old, new) in ALLOWED:
        record, _ = wishes.ask(records, "worker-1", a_request(wish=new), NOON)
        assert record.request.wish is new
    else:
        with pytest.raises(Conflict):
            wishes.ask(records, "worker-1", a_request(wish=new), NOON)


def test_another_size_needs_another_name(records: Records) -> None:
    wishes.ask(records, "worker-1", a_request(), NOON)
    with pytest.raises(Conflict, match="another size"):
        wishes.ask(records, "worker-1", a_request(size=a_size(9)), NOON)


def test_a_fence_lower_than_the_highest_seen_is_refused_for_every_worker(records: Records) -> None:
    wishes.ask(records, "worker-1", a_request(fence=7), NOON)
    with pytest.raises(Conflict, match="older than 7"):
        wishes.ask(records, "worker-2", a_request(fence=6), NOON)
    assert records.get("worker-2") is None
    assert wishes.ask(records, "worker-2", a_request(fence=8), NOON)[1]


def test_the_fence_outlives_the_process() -> None:
    store = MemoryKeyValue()
    Records(store).raise_fence(7)
    with pytest.raises(Conflict):
        Records(store).raise_fence(6)


def test_a_request_overtaken_by_a_newer_leader_is_refused_by_its_record(records: Records) -> None:
    records.add(a_record(request=a_request(fence=9)))
    with pytest.raises(Conflict, match="older than 9"):
        wishes.ask(records, "worker-1", a_request(fence=8), NOON)


@pytest.mark.parametrize("phase", [WorkerPhase.DELETED, WorkerPhase.FAILED])
def test_a_worker_that_has_ended_does_not_come_back(records: Records, phase: WorkerPhase) -> None:
    records.add(a_record(request=a_request(wish=Wish.DRAINED), phase=phase, reason="its machine vanished"))
    with pytest.raises(Conflict, match="its machine vanished"):
        wishes.ask(records, "worker-1", a_request(), NOON)


def test_repeating_the_request_of_a_failed_worker_shows_that_it_failed(records: Records) -> None:
    records.add(a_record(phase=WorkerPhase.FAILED))
    record, is_new = wishes.ask(records, "worker-1", a_request(), NOON)
    assert (record.phase, is_new) == (WorkerPhase.FAILED, False)


def test_removal_needs_no_fence_and_keeps_what_was_asked(records: Records) -> None:
    wishes.ask(records, "worker-1", a_request(fence=7), NOON)
    record = wishes.remove(records, "worker-1", "by hand")
    assert record.request == a_request(fence=7, wish=Wish.ABSENT, reason="by hand")
    assert wishes.remove(records, "worker-1", "again").request.reason == "by hand"


def test_what_was_never_asked_for_cannot_be_removed(records: Records) -> None:
    with pytest.raises(NotFound):
        wishes.remove(records, "worker-1", "by hand")


class Meddled(MemoryKeyValue):
    """Somebody else writes `other` just before our next write of a worker."""

    other: Record | None = None

    def put_if(self, key: str, value: bytes, expected: int | None, lease: Lease | None = None) -> int:
        if self.other and key.startswith(WORKERS):
            other, self.other = self.other, None
            super().put_if(key, other.model_dump_json().encode(), None)
        return super().put_if(key, value, expected, lease)


def test_two_who_ask_at_once_get_one_worker() -> None:
    store = Meddled()
    store.other = a_record(reason="the other was first")
    record, is_new = wishes.ask(Records(store), "worker-1", a_request(), NOON)
    assert not is_new and record.reason == "the other was first"


def test_a_change_is_made_to_the_record_as_it_is_after_a_lost_race() -> None:
    store = Meddled()
    Records(store).add(a_record())
    store.other = a_record(phase=WorkerPhase.LAUNCHED)
    changed = Records(store).update("worker-1", lambda record: record.model_copy(update={"reason": "new"}))
    assert changed and (changed.phase, changed.reason) == (WorkerPhase.LAUNCHED, "new")


def test_a_record_of_another_version_is_counted_and_not_touched() -> None:
    store = MemoryKeyValue()
    store.put_if(f"{WORKERS}worker-1", b'{"version": 99}', 0)
    records = Records(store)
    assert records.all().unreadable == {"worker-1"}
    with pytest.raises(Conflict, match="cannot be read"):
        wishes.ask(records, "worker-1", a_request(), NOON)


def test_a_record_is_forgotten_only_when_its_worker_is_over(records: Records) -> None:
    records.add(a_record())
    records.forget("worker-1")
    assert records.get("worker-1")
    records.update("worker-1", lambda record: record.in_phase(WorkerPhase.DELETED, NOON, "done"))
    records.forget("worker-1")
    assert records.get("worker-1") is None


def test_a_silent_store_is_said_to_be_silent() -> None:
    store = MemoryKeyValue()
    store.unavailable = "etcd is down"
    with pytest.raises(Unavailable, match="etcd is down"):
        wishes.ask(Records(store), "worker-1", a_request(), NOON)
