"""Users' keys on each store: of many that write at once none is lost, and none goes over its quota."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator

import pytest

from prominence.core.errors import QuotaReached, Rejected
from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.keyvalue.port import KeyValue
from prominence.restapi.kv import KvLimits, Usage, UserKeys


@pytest.fixture(params=["memory", "etcd"])
def store(request: pytest.FixtureRequest) -> Iterator[KeyValue]:
    if request.param == "memory":
        yield MemoryKeyValue()
    else:
        adapter = EtcdKeyValue([request.getfixturevalue("etcd").endpoint])
        yield adapter
        adapter.close()


@pytest.fixture
def user() -> str:
    """A user whom no other test knows."""
    return f"bob-{uuid.uuid4()}"


def at_once(act: Callable[[int], object], count: int) -> None:
    threads = [threading.Thread(target=act, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_of_two_users_whose_names_begin_alike_neither_sees_the_other(store: KeyValue, user: str) -> None:
    names = (user, f"{user}by", f"{user}/x", f"{user}%2Fx")
    everybody = [UserKeys(store, name, KvLimits()) for name in names]
    for name, one in zip(names, everybody, strict=True):
        one.set("x/é", name.encode())
    for name, one in zip(names, everybody, strict=True):
        assert one.values("") == [{"/x/é": name}]
    everybody[0].delete_below("")
    assert [one.usage().keys for one in everybody] == [0, 1, 1, 1]


def test_of_many_swaps_of_the_same_value_one_wins(store: KeyValue, user: str) -> None:
    keys = UserKeys(store, user, KvLimits())
    keys.set("turn", b"start")
    won: list[int] = []

    def swap(number: int) -> None:
        try:
            keys.set("turn", str(number).encode(), previous="start")
            won.append(number)
        except Rejected:
            pass

    at_once(swap, 12)
    assert [str(number) for number in won] == [keys.get("turn")]


def test_of_many_writes_at_once_as_many_are_done_as_there_is_room_for(store: KeyValue, user: str) -> None:
    keys = UserKeys(store, user, KvLimits(keys=7))
    refused: list[int] = []

    def write(number: int) -> None:
        try:
            keys.set(f"{number:02}", b"12345678")
        except QuotaReached:
            refused.append(number)

    at_once(write, 12)
    assert (len(keys.keys("")), len(refused), keys.usage()) == (7, 5, Usage(keys=7, total=70))


def test_a_deletion_and_writes_at_once_leave_the_count_right(store: KeyValue, user: str) -> None:
    keys = UserKeys(store, user, KvLimits())
    at_once(lambda number: keys.delete_below("a") if number % 3 == 0 else keys.set(f"a{number}", b"1"), 15)
    assert keys.usage().keys == len(keys.keys(""))
