"""What jobs have written is counted once, whoever else counts at the same time."""

from __future__ import annotations

import pytest
from builders import NOON

from prominence.core.errors import Conflict, Unavailable
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.restapi import ledger
from prominence.restapi.ledger import JobRecord

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
