"""What jobs have written is counted once, whoever else counts at the same time."""

from __future__ import annotations

import pytest
from builders import NOON

from prominence.core.errors import Conflict, Unavailable
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.restapi import ledger
from prominence.restapi.ledger import JobRecord, SavedCheckpoint

RECORD = JobRecord(user="alice", made_at=NOON, output_files=("*.txt",))


@pytest.fixture
def store() -> MemoryKeyValue:
    made = MemoryKeyValue()
    ledger.open_record("uid-1", RECORD, made)
    ledger.open_record("uid-2", RECORD, made)
    return made


def test_an_output_counts_for_the_user_of_its_job(store: MemoryKeyValue) -> None:
    ledger.charge("uid-1", "a.txt", 100, store)
    ledger.charge("uid-2", "a.txt", 10, store)
    assert ledger.outputs_of("alice", store) == 110
    assert ledger.outputs_of("bob", store) == 0


def test_an_output_that_is_written_again_counts_once(store: MemoryKeyValue) -> None:
    for size in (100, 100, 40):
        ledger.charge("uid-1", "a.txt", size, store)
    assert ledger.outputs_of("alice", store) == 40


def test_what_a_job_wrote_counts_no_longer_when_its_record_is_closed(store: MemoryKeyValue) -> None:
    ledger.charge("uid-1", "a.txt", 100, store)
    ledger.charge("uid-2", "a.txt", 10, store)
    ledger.close_record("uid-1", store)
    ledger.close_record("uid-1", store)
    assert ledger.outputs_of("alice", store) == 10
    assert set(ledger.records(store)) == {"uid-2"}


def test_a_job_without_a_record_is_not_counted(store: MemoryKeyValue) -> None:
    ledger.charge("uid-3", "a.txt", 100, store)
    assert ledger.find("uid-3", store) is None


def test_members_of_an_array_share_a_record_until_one_of_them_writes(store: MemoryKeyValue) -> None:
    assert ledger.find("uid-1/0", store) == ledger.find("uid-1/1", store) == RECORD
    ledger.charge("uid-1/0", "a.txt", 100, store)
    ledger.charge("uid-1/0", "a.txt", 60, store)
    ledger.charge("uid-1/1", "a.txt", 5, store)
    assert ledger.outputs_of("alice", store) == 65
    assert ledger.find("uid-1", store) == ledger.find("uid-1/2", store) == RECORD
    assert set(ledger.records(store)) == {"uid-1", "uid-1/0", "uid-1/1", "uid-2"}
    ledger.close_record("uid-1/0", store)
    ledger.close_record("uid-1/2", store)
    assert ledger.outputs_of("alice", store) == 5


def test_the_record_of_one_of_many_does_not_repeat_what_they_share(store: MemoryKeyValue) -> None:
    inputs = {f"in-{number}.dat": f"uploads/alice/in-{number}.dat" for number in range(1000)}
    shared = JobRecord(user="alice", made_at=NOON, inputs=inputs, output_dirs=("d",), checkpoints=True)
    ledger.open_record("uid-3/0", shared, store)
    ledger.charge("uid-3/0.7", "d.tgz", 100, store)
    saved = (SavedCheckpoint(name="c", size=5, sha256="0" * 64),)
    ledger.save("uid-3/0.7", saved, "c", store)
    own = store.get("/prominence/data/jobs/uid-3/0.7")
    assert own is not None
    assert b"in-" not in own.value
    mine = {"written": {"d.tgz": 100}, "saved": saved, "latest": "c"}
    assert ledger.find("uid-3/0.7", store) == shared.model_copy(update=mine)
    assert ledger.find("uid-3/0.8", store) == shared
    assert ledger.outputs_of("alice", store) == 105


class Crowded(MemoryKeyValue):
    """Others are faster so often."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times

    def change(self, *arguments: object, **options: object) -> None:
        if self.left > 0:
            self.left -= 1
            raise Conflict("somebody was faster")
        super().change(*arguments, **options)  # type: ignore[arg-type]


def test_who_loses_a_race_counts_again() -> None:
    store = Crowded(3)
    ledger.open_record("uid-1", RECORD, store)
    ledger.charge("uid-1", "a.txt", 100, store)
    assert ledger.outputs_of("alice", store) == 100


def test_who_loses_every_race_is_told_to_come_back() -> None:
    store = Crowded(1000)
    ledger.open_record("uid-1", RECORD, store)
    with pytest.raises(Unavailable):
        ledger.charge("uid-1", "a.txt", 100, store)
