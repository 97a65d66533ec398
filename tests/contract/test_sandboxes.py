"""What every Sandboxes promises."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from prominence.core.errors import Conflict, NoRoom, Unavailable
from prominence.restapi.adapters.memory_sandboxes import MemorySandboxes
from prominence.restapi.adapters.sandboxes import LocalSandboxes
from prominence.restapi.ports import Sandboxes

UID = str(uuid.UUID(int=1))
OTHER = str(uuid.UUID(int=2))


@pytest.fixture(params=["memory", "disk"])
def sandboxes(request: pytest.FixtureRequest, tmp_path: Path) -> Sandboxes:
    return MemorySandboxes() if request.param == "memory" else LocalSandboxes(tmp_path)


@pytest.fixture(params=["memory", "disk"])
def full(request: pytest.FixtureRequest, tmp_path: Path) -> Sandboxes:
    """Without room for more, with what was there before."""
    more_than_any_disk_has = 2**40
    if request.param == "disk":
        LocalSandboxes(tmp_path).make(OTHER, {"a.json": "{}"})
        return LocalSandboxes(tmp_path, more_than_any_disk_has)
    memory = MemorySandboxes()
    memory.make(OTHER, {"a.json": "{}"})
    memory.full = True
    return memory


class TestSandboxes:
    def test_what_is_put_in_can_be_read(self, sandboxes: Sandboxes) -> None:
        directory = sandboxes.make(UID, {"a.json": "{}", "b.json": "hällo"})
        assert directory.endswith(f"/{UID}")
        assert sandboxes.read(UID, "a.json") == b"{}"
        assert sandboxes.read(UID, "b.json") == "hällo".encode()

    def test_a_large_file_can_be_read_from_anywhere(self, sandboxes: Sandboxes) -> None:
        sandboxes.make(UID, {"stdout": "0123456789" * 300_000})
        file = sandboxes.open(UID, "stdout")
        assert file is not None
        with file:
            assert file.seek(0, 2) == 3_000_000
            file.seek(2_999_998)
            assert file.read() == b"89"

    def test_a_file_that_is_added_gets_the_first_free_number(self, sandboxes: Sandboxes) -> None:
        sandboxes.make(UID, {"order-2.json": "taken"})
        numbers = [sandboxes.add(UID, lambda number: f"order-{number}.json", f"text {count}") for count in range(3)]
        assert numbers == [1, 3, 4]
        assert sandboxes.read(UID, "order-2.json") == b"taken"
        assert sandboxes.read(UID, "order-4.json") == b"text 2"

    def test_nothing_is_added_where_there_is_no_sandbox(self, sandboxes: Sandboxes) -> None:
        with pytest.raises(Unavailable):
            sandboxes.add(UID, str, "text")

    def test_what_is_not_there_is_nothing(self, sandboxes: Sandboxes) -> None:
        assert sandboxes.read(UID, "a.json") is None
        assert sandboxes.open(UID, "a.json") is None
        sandboxes.make(UID, {})
        assert sandboxes.read(UID, "a.json") is None

    def test_a_sandbox_is_there_until_it_is_discarded(self, sandboxes: Sandboxes) -> None:
        assert not sandboxes.exists(UID)
        sandboxes.make(UID, {"a.json": "{}"})
        sandboxes.make(OTHER, {"a.json": "{}"})
        assert sandboxes.exists(UID)
        sandboxes.discard(UID)
        assert not sandboxes.exists(UID)
        assert sandboxes.read(UID, "a.json") is None
        assert sandboxes.exists(OTHER)

    def test_a_file_is_written_anew_as_a_whole(self, sandboxes: Sandboxes) -> None:
        sandboxes.make(UID, {"a.json": "{}", "b.json": "1"})
        sandboxes.replace(UID, "a.json", "hällo")
        assert sandboxes.read(UID, "a.json") == "hällo".encode()
        assert sandboxes.read(UID, "b.json") == b"1"
        with pytest.raises(Unavailable):
            sandboxes.replace(OTHER, "a.json", "{}")
        assert not sandboxes.exists(OTHER)

    def test_one_changes_a_job_at_a_time_and_others_are_told_so(self, sandboxes: Sandboxes) -> None:
        sandboxes.make(UID, {"a.json": "{}"})
        sandboxes.make(OTHER, {"a.json": "{}"})
        with sandboxes.alone(UID):
            with pytest.raises(Conflict, match="being changed by another request"), sandboxes.alone(UID):
                pass
            with sandboxes.alone(OTHER):
                sandboxes.replace(UID, "a.json", "[]")
        with pytest.raises(NoRoom), sandboxes.alone(UID):
            raise NoRoom("whatever fails within")
        with sandboxes.alone(UID):
            assert sandboxes.read(UID, "a.json") == b"[]"

    def test_alone_with_what_is_not_there_is_everybody(self, sandboxes: Sandboxes) -> None:
        with sandboxes.alone(UID), sandboxes.alone(UID):
            assert not sandboxes.exists(UID)

    def test_members_of_an_array_have_each_their_own_within_it(self, sandboxes: Sandboxes) -> None:
        sandboxes.make(UID, {"a.json": "{}"}, {"0": {"token": "0"}, "1": {"token": "1"}})
        first, second, third = (f"{UID}/{place}" for place in range(3))
        assert [sandboxes.read(uid, "token") for uid in (first, second)] == [b"0", b"1"]
        assert sandboxes.read(first, "a.json") is None
        assert [sandboxes.exists(uid) for uid in (UID, first, second, third)] == [True, True, True, False]
        sandboxes.replace(first, "token", "new")
        assert sandboxes.add(second, lambda number: f"order-{number}", "text") == 1
        assert [sandboxes.read(uid, "token") for uid in (first, second)] == [b"new", b"1"]
        assert list(sandboxes.last_changes()) == [UID]
        sandboxes.discard(UID)
        assert not any(sandboxes.exists(uid) for uid in (UID, first, second))

    def test_instances_of_a_workflows_job_have_each_their_own_beside_what_they_share(
        self, sandboxes: Sandboxes
    ) -> None:
        directory = sandboxes.make(UID, {"workflow.dag": ""}, {"0": {"plan.json": "{}"}, "0.17": {"token": "t"}})
        assert sandboxes.directory(UID) == directory
        assert sandboxes.read(f"{UID}/0", "plan.json") == b"{}"
        assert sandboxes.read(f"{UID}/0.17", "token") == b"t"
        assert list(sandboxes.last_changes()) == [UID]
        sandboxes.discard(UID)
        assert not sandboxes.exists(f"{UID}/0.17")

    def test_without_room_no_more_are_made_and_the_others_are_as_before(self, full: Sandboxes) -> None:
        with pytest.raises(NoRoom):
            full.make(UID, {"a.json": "{}"})
        assert not full.exists(UID)
        assert full.read(OTHER, "a.json") == b"{}"

    def test_all_are_told_with_the_time_of_their_last_change(self, sandboxes: Sandboxes) -> None:
        assert sandboxes.last_changes() == {}
        sandboxes.make(UID, {"a.json": "{}"})
        sandboxes.make(OTHER, {})
        sandboxes.discard(OTHER)
        [(uid, changed_at)] = sandboxes.last_changes().items()
        assert uid == UID
        assert changed_at.tzinfo is not None

    def test_to_discard_what_is_not_there_is_fine(self, sandboxes: Sandboxes) -> None:
        sandboxes.discard(UID)
