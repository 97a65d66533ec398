"""The promise of KeyValue, and of Election on it, kept by each adapter."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from prominence.core.errors import Conflict, Rejected, Unavailable
from prominence.core.keyvalue.election import Election
from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.keyvalue.port import (
    ABSENT,
    LARGEST_VALUE,
    REVISIONS_BEFORE,
    Copied,
    Delete,
    DeleteBelow,
    KeyValue,
    Put,
)

TTL_S = 2
TIMEOUT_S = 2.0


class Shared(KeyValue, Copied, Protocol):
    """All that a store is asked."""


class World(Protocol):
    """A store, its time and its outages."""

    store: Shared

    def wait(self, seconds: float) -> None: ...
    def stop(self) -> None: ...
    def start(self) -> None: ...


class MemoryWorld:
    def __init__(self) -> None:
        self._now = 0.0
        self._memory = MemoryKeyValue(clock=lambda: self._now)
        self.store: Shared = self._memory

    def wait(self, seconds: float) -> None:
        self._now += seconds

    def stop(self) -> None:
        self._memory.unavailable = "the store is out of order"

    def start(self) -> None:
        self._memory.unavailable = ""


class EtcdWorld:
    def __init__(self, etcd) -> None:
        self._etcd = etcd
        self._adapter = EtcdKeyValue([etcd.endpoint], timeout_s=TIMEOUT_S)
        self.store: Shared = self._adapter

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def stop(self) -> None:
        self._etcd.kill()

    def start(self) -> None:
        self._etcd.start()
        self._etcd.wait_until_ready()
        eventually(lambda: self.store.get("/"), within_s=10)

    def close(self) -> None:
        self._adapter.close()


@pytest.fixture(params=["memory", "etcd"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
    else:
        world = EtcdWorld(request.getfixturevalue("etcd"))
        yield world
        world.close()


@pytest.fixture
def store(world: World) -> KeyValue:
    return world.store


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return f"/test/{uuid.uuid4()}"


def eventually(act: Callable[[], object], within_s: float) -> float:
    """Repeats `act` while it raises Unavailable; how many seconds that took."""
    began = time.monotonic()
    while True:
        try:
            act()
            return time.monotonic() - began
        except Unavailable:
            if time.monotonic() - began > within_s:
                raise
            time.sleep(0.05)


class TestKeyValue:
    def test_what_was_put_is_read_with_its_revision(self, store: KeyValue, key: str) -> None:
        revision = store.put_if(key, b"one", ABSENT)
        entry = store.get(key)
        assert entry is not None
        assert (entry.key, entry.value, entry.revision) == (key, b"one", revision)

    def test_what_was_never_put_is_absent(self, store: KeyValue, key: str) -> None:
        assert store.get(key) is None
        assert store.list(key) == []

    @pytest.mark.parametrize("value", [b"", bytes(range(256)), b"x" * LARGEST_VALUE])
    def test_any_bytes_are_kept(self, store: KeyValue, key: str, value: bytes) -> None:
        store.put_if(key, value, None)
        entry = store.get(key)
        assert entry is not None
        assert entry.value == value

    def test_a_value_that_is_too_large_is_refused(self, store: KeyValue, key: str) -> None:
        with pytest.raises(Rejected, match="limit"):
            store.put_if(key, b"x" * (LARGEST_VALUE + 1), None)
        assert store.get(key) is None

    def test_a_list_holds_the_keys_below_the_prefix_in_order(self, store: KeyValue, key: str) -> None:
        names = [f"{key}/b", f"{key}/a", f"{key}/é", f"{key}/a/b", f"{key}0", f"{key}"]
        revisions = {name: store.put_if(name, name.encode(), ABSENT) for name in names}
        below = sorted(name for name in names if name.startswith(f"{key}/"))
        assert [(e.key, e.value, e.revision) for e in store.list(f"{key}/")] == [
            (name, name.encode(), revisions[name]) for name in below
        ]
        everything = [entry.key for entry in store.list("")]
        assert set(names) <= set(everything)
        assert everything == sorted(everything)

    def test_only_the_first_of_two_creations_wins(self, store: KeyValue, key: str) -> None:
        store.put_if(key, b"first", ABSENT)
        with pytest.raises(Conflict):
            store.put_if(key, b"second", ABSENT)
        assert store.list(key)[0].value == b"first"

    def test_a_write_that_expects_an_old_revision_is_refused(self, store: KeyValue, key: str) -> None:
        old = store.put_if(key, b"one", ABSENT)
        new = store.put_if(key, b"two", old)
        assert new > old
        with pytest.raises(Conflict):
            store.put_if(key, b"three", old)
        assert store.list(key)[0].value == b"two"

    def test_a_write_that_expects_nothing_always_wins(self, store: KeyValue, key: str) -> None:
        store.put_if(key, b"one", None)
        store.put_if(key, b"two", None)
        assert store.list(key)[0].value == b"two"

    def test_revisions_of_all_keys_come_from_one_growing_counter(self, store: KeyValue, key: str) -> None:
        revisions = [store.put_if(f"{key}/{n}", b"", ABSENT) for n in range(3)]
        revisions.append(store.put_if(f"{key}/0", b"", None))
        assert revisions == sorted(set(revisions))

    def test_a_key_that_came_again_is_another(self, store: KeyValue, key: str) -> None:
        old = store.put_if(key, b"same", ABSENT)
        store.delete_if(key, old)
        assert store.get(key) is None
        new = store.put_if(key, b"same", ABSENT)
        assert new > old
        for act in (lambda: store.put_if(key, b"", old), lambda: store.delete_if(key, old)):
            with pytest.raises(Conflict):
                act()

    def test_deleting_what_is_not_there_is_fine_unless_it_was_expected(self, store: KeyValue, key: str) -> None:
        store.delete_if(key, None)
        store.delete_if(key, ABSENT)
        with pytest.raises(Conflict):
            store.delete_if(key, 7)

    def test_deleting_with_no_expectation_always_wins(self, store: KeyValue, key: str) -> None:
        store.put_if(key, b"", ABSENT)
        with pytest.raises(Conflict):
            store.delete_if(key, ABSENT)
        store.delete_if(key, None)
        assert store.get(key) is None

    def test_of_many_that_count_at_once_nobody_is_lost(self, store: KeyValue, key: str) -> None:
        store.put_if(key, b"0", ABSENT)

        def count() -> None:
            for _ in range(5):
                while True:
                    entry = store.list(key)[0]
                    try:
                        store.put_if(key, str(int(entry.value) + 1).encode(), entry.revision)
                        break
                    except Conflict:
                        continue

        threads = [threading.Thread(target=count) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.list(key)[0].value == b"40"

    def test_keys_are_listed_without_their_values(self, store: KeyValue, key: str) -> None:
        for name in ("b", "a", "é", "a/b"):
            store.put_if(f"{key}/{name}", b"x" * 1000, ABSENT)
        store.put_if(f"{key}0", b"", ABSENT)
        assert store.keys(f"{key}/") == [f"{key}/{name}" for name in ("a", "a/b", "b", "é")]
        assert store.keys(f"{key}/nothing") == []
        assert set(store.keys(f"{key}/")) < set(store.keys(""))


class TestChanges:
    """Several writes that happen together or not at all."""

    def test_all_are_made_at_once(self, store: KeyValue, key: str) -> None:
        counter = store.put_if(f"{key}/count", b"3", ABSENT)
        for name in ("old", "range", "range/1", "rangers", "ran"):
            store.put_if(f"{key}/{name}", b"", ABSENT)
        store.change(
            [
                Put(f"{key}/count", b"1"),
                Put(f"{key}/new", b"n"),
                Delete(f"{key}/old"),
                Delete(f"{key}/never"),
                DeleteBelow(f"{key}/range"),
            ],
            {f"{key}/count": counter, f"{key}/new": ABSENT},
        )
        assert [(entry.key.removeprefix(key), entry.value) for entry in store.list(key)] == [
            ("/count", b"1"),
            ("/new", b"n"),
            ("/ran", b""),
        ]
        revisions = {entry.revision for entry in store.list(key) if entry.value}
        assert len(revisions) == 1 and min(revisions) > counter

    @pytest.mark.parametrize("wrong", ["one", "two"])
    def test_none_is_made_when_one_revision_is_not_as_expected(self, wrong: str, store: KeyValue, key: str) -> None:
        expected = {f"{key}/{name}": store.put_if(f"{key}/{name}", b"before", ABSENT) for name in ("one", "two")}
        expected[f"{key}/{wrong}"] -= 1
        with pytest.raises(Conflict):
            store.change([Put(f"{key}/one", b"after"), Delete(f"{key}/two"), Put(f"{key}/three", b"")], expected)
        assert [entry.value for entry in store.list(key)] == [b"before", b"before"]

    def test_what_is_expected_need_not_be_changed(self, store: KeyValue, key: str) -> None:
        guard = store.put_if(f"{key}/guard", b"", ABSENT)
        store.change([Put(f"{key}/a", b"")], {f"{key}/guard": guard})
        store.delete_if(f"{key}/guard", guard)
        with pytest.raises(Conflict):
            store.change([Put(f"{key}/a", b"")], {f"{key}/guard": guard})

    def test_without_expectations_they_always_happen(self, store: KeyValue, key: str) -> None:
        store.change([DeleteBelow(key)], {})
        store.change([Put(key, b"one")], {})
        store.change([Put(key, b"two")], {})
        store.change([], {})
        assert [entry.value for entry in store.list(key)] == [b"two"]

    def test_a_value_that_is_too_large_is_refused(self, store: KeyValue, key: str) -> None:
        with pytest.raises(Rejected, match="limit"):
            store.change([Put(f"{key}/a", b""), Put(f"{key}/b", b"x" * (LARGEST_VALUE + 1))], {})
        assert store.list(key) == []

    def test_of_many_that_change_two_keys_at_once_none_is_half_done(self, store: KeyValue, key: str) -> None:
        total = f"{key}-total"
        store.put_if(total, b"0", ABSENT)

        def add(number: int) -> None:
            while True:
                entry = store.get(total)
                assert entry is not None
                changes = [Put(total, str(int(entry.value) + 1).encode()), Put(f"{key}/{number}", b"")]
                try:
                    return store.change(changes, {total: entry.revision})
                except Conflict:
                    continue

        threads = [threading.Thread(target=add, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        entry = store.get(total)
        assert entry is not None
        assert int(entry.value) == len(store.keys(f"{key}/")) == 12


class TestLease:
    def test_its_keys_vanish_when_it_is_not_refreshed(self, world: World, key: str) -> None:
        lease = world.store.lease(TTL_S)
        world.store.put_if(f"{key}/under", b"", ABSENT, lease)
        world.store.put_if(f"{key}/freed", b"", ABSENT, lease)
        freed = world.store.put_if(f"{key}/freed", b"", None)
        world.wait(TTL_S + 1.5)
        assert [entry.key for entry in world.store.list(key)] == [f"{key}/freed"]
        with pytest.raises(Conflict):
            lease.refresh()
        with pytest.raises(Conflict):
            world.store.put_if(key, b"", ABSENT, lease)
        lease.revoke()
        assert world.store.put_if(key, b"", ABSENT) > freed

    def test_its_keys_stay_while_it_is_refreshed(self, world: World, key: str) -> None:
        lease = world.store.lease(TTL_S)
        revision = world.store.put_if(key, b"", ABSENT, lease)
        for _ in range(5):
            world.wait(TTL_S / 3)
            lease.refresh()
        entry = world.store.get(key)
        assert entry is not None
        assert entry.revision == revision

    def test_revoking_it_ends_its_keys_at_once_and_no_others(self, store: KeyValue, key: str) -> None:
        mine, other = store.lease(60), store.lease(60)
        store.put_if(f"{key}/mine", b"", ABSENT, mine)
        store.put_if(f"{key}/other", b"", ABSENT, other)
        mine.revoke()
        mine.revoke()
        assert [entry.key for entry in store.list(key)] == [f"{key}/other"]


class TestOutage:
    def test_every_verb_says_so_in_time_and_what_was_written_is_there_afterwards(self, world: World, key: str) -> None:
        lease = world.store.lease(60)
        revision = world.store.put_if(key, b"kept", ABSENT, lease)
        verbs: list[Callable[[], object]] = [
            lambda: world.store.get(key),
            lambda: world.store.list(key),
            lambda: world.store.keys(key),
            lambda: world.store.change([Put(key, b"lost")], {}),
            lambda: world.store.put_if(key, b"lost", None),
            lambda: world.store.delete_if(key, None),
            lambda: world.store.lease(5),
            lease.refresh,
            lease.revoke,
        ]
        world.stop()
        try:
            for verb in verbs:
                began = time.monotonic()
                with pytest.raises(Unavailable):
                    verb()
                assert time.monotonic() - began < TIMEOUT_S + 0.5
        finally:
            world.start()
        entry = world.store.get(key)
        assert entry is not None
        assert (entry.value, entry.revision) == (b"kept", revision)
        lease.refresh()


class TestCopied:
    def test_everything_is_told_with_how_long_it_lives(self, world: World, key: str) -> None:
        store = world.store
        store.put_if(f"{key}/b", b"\x00\xff", None)
        store.put_if(f"{key}/a", b"", None, store.lease(600))
        revision = store.put_if(f"{key}0", b"another's", None)
        told = store.everything(f"{key}/")
        assert [(one.key, one.value) for one in told.entries] == [(f"{key}/a", b""), (f"{key}/b", b"\x00\xff")]
        assert told.entries[1].left_s is None
        assert told.entries[0].left_s is not None and 0 < told.entries[0].left_s <= 600
        assert told.revision >= revision


class TestElection:
    def test_who_leads_comes_after_who_led_in_the_store_that_was_copied(self, store: KeyValue, key: str) -> None:
        before = store.get(REVISIONS_BEFORE)
        store.put_if(REVISIONS_BEFORE, b"1000000", None)
        try:
            one = Election(store, key, "one", 60)
            fence = one.lead()
            assert fence is not None and fence > 1_000_000
            assert one.lead() == fence
            one.resign()
            assert (Election(store, key, "two", 60).lead() or 0) > fence
        finally:
            if before is None:
                store.delete_if(REVISIONS_BEFORE, None)
            else:
                store.put_if(REVISIONS_BEFORE, before.value, None)

    def test_one_leads_and_its_fence_stays(self, store: KeyValue, key: str) -> None:
        one, two = Election(store, key, "one", 60), Election(store, key, "two", 60)
        fence = one.lead()
        assert fence is not None
        assert two.lead() is None
        assert one.lead() == fence
        assert two.lead() is None
        assert store.list(key)[0].value == b"one"

    def test_after_resigning_another_leads_at_once_with_a_higher_fence(self, store: KeyValue, key: str) -> None:
        one, two = Election(store, key, "one", 60), Election(store, key, "two", 60)
        first = one.lead()
        one.resign()
        second = two.lead()
        assert first is not None and second is not None
        assert second > first
        assert one.lead() is None

    def test_a_paused_leader_finds_out_at_its_next_call(self, world: World, key: str) -> None:
        one, two = Election(world.store, key, "one", TTL_S), Election(world.store, key, "two", TTL_S)
        first = one.lead()
        world.wait(TTL_S + 1.5)
        second = two.lead()
        assert first is not None and second is not None
        assert second > first
        assert one.lead() is None
        assert two.lead() == second

    def test_a_leader_that_was_paused_and_not_replaced_leads_anew(self, world: World, key: str) -> None:
        one = Election(world.store, key, "one", TTL_S)
        first = one.lead()
        world.wait(TTL_S + 1.5)
        second = one.lead()
        assert first is not None and second is not None
        assert second > first

    def test_a_leader_whose_key_was_deleted_leads_anew_or_not_at_all(self, store: KeyValue, key: str) -> None:
        one, two = Election(store, key, "one", 60), Election(store, key, "two", 60)
        first = one.lead()
        store.delete_if(key, None)
        second = one.lead()
        assert first is not None and second is not None
        assert second > first
        store.delete_if(key, None)
        assert two.lead() is not None
        assert one.lead() is None

    def test_an_outage_shorter_than_the_lease_changes_nothing(self, world: World, key: str) -> None:
        one, two = Election(world.store, key, "one", 30), Election(world.store, key, "two", 30)
        fence = one.lead()
        world.stop()
        try:
            for candidate in (one, two):
                with pytest.raises(Unavailable):
                    candidate.lead()
            two.resign()
        finally:
            world.start()
        assert one.lead() == fence
        assert two.lead() is None


class TestEtcd:
    """What only etcd can show."""

    def test_one_that_hangs_is_given_up_in_time_and_found_again(self, etcd, key: str) -> None:
        store = EtcdKeyValue([f"http://{etcd.endpoint}"], timeout_s=TIMEOUT_S)
        store.put_if(key, b"", ABSENT)
        etcd.pause()
        try:
            began = time.monotonic()
            with pytest.raises(Unavailable, match="does not answer"):
                store.get(key)
            assert time.monotonic() - began < TIMEOUT_S + 0.5
        finally:
            etcd.go_on()
        assert eventually(lambda: store.get(key), within_s=10) < 5
        store.close()

    def test_a_long_outage_does_not_delay_the_return(self, etcd, key: str) -> None:
        store = EtcdKeyValue([etcd.endpoint], timeout_s=TIMEOUT_S)
        store.get(key)
        etcd.kill()
        until = time.monotonic() + 8
        while time.monotonic() < until:
            with pytest.raises(Unavailable):
                store.get(key)
            time.sleep(0.1)
        etcd.start()
        etcd.wait_until_ready()
        assert eventually(lambda: store.get(key), within_s=10) < 4
        store.close()

    def test_when_a_member_dies_the_others_answer(self, etcd_cluster, key: str) -> None:
        stores = [EtcdKeyValue([member.endpoint for member in etcd_cluster], timeout_s=TIMEOUT_S) for _ in range(6)]
        for store in stores:
            eventually(lambda store=store: store.put_if(key, b"before", None), within_s=10)
        etcd_cluster[0].kill()
        for store in stores:
            took = eventually(lambda store=store: store.put_if(key, b"after", None), within_s=15)
            assert took < 10
            assert store.list(key)[0].value == b"after"
            store.close()

    def test_when_a_member_hangs_who_reads_has_an_answer(self, etcd_cluster, key: str) -> None:
        store = EtcdKeyValue([member.endpoint for member in etcd_cluster])
        eventually(lambda: store.put_if(key, b"before", None), within_s=15)
        etcd_cluster[0].pause()
        try:
            assert store.list(key)[0].value == b"before"
        finally:
            etcd_cluster[0].go_on()
        store.close()

    @pytest.mark.parametrize("endpoint", ["", "etcd", ":2379", "etcd:", "etcd:http", "https://etcd:2379"])
    def test_a_misspelt_endpoint_is_refused(self, endpoint: str) -> None:
        with pytest.raises(Rejected, match="host:port"):
            EtcdKeyValue([endpoint])
