"""What one imc has revoked, the collectors of all refuse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import Unavailable
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.imc.adapters.memory import MemoryPool
from prominence.imc.condor_text import Revocation
from prominence.imc.records import Records
from prominence.imc.revocations import merged, shared

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LISTS = st.lists(
    st.builds(Revocation, st.sampled_from(["a", "b", "c"]), st.integers(0, 20), st.integers(0, 20)), max_size=5
)


class Imc:
    """One of several, with a collector of its own beside it."""

    def __init__(self, store: MemoryKeyValue) -> None:
        self.now = NOON
        self.pool = MemoryPool()
        self._shared = shared(Records(store), self.pool, lambda: self.now)

    def round(self) -> None:
        self._shared.share()

    @property
    def refuses(self) -> list[str]:
        return sorted(entry.identity for entry in self.pool.revocations())


def test_what_one_has_revoked_the_other_refuses_a_round_later() -> None:
    store = MemoryKeyValue()
    one, other = Imc(store), Imc(store)
    one.pool.revoke("w-1", NOON)
    other.pool.revoke("w-2", NOON)
    token = other.pool.mint("w-1").get_secret_value()
    for imc in (one, other, one):
        imc.round()
    assert one.refuses == other.refuses == ["w-1", "w-2"]
    assert not other.pool.join("w-1", token)


def test_a_token_that_was_made_later_is_not_refused_by_what_is_known_already() -> None:
    one = Imc(MemoryKeyValue())
    one.pool.revoke("w-1", NOON)
    one.round()
    token = one.pool.mint("w-1").get_secret_value()
    one.round()
    assert one.pool.join("w-1", token)


def test_what_cannot_be_told_now_is_told_later() -> None:
    store = MemoryKeyValue()
    one, other = Imc(store), Imc(store)
    one.pool.revoke("w-1", NOON)
    one.round()
    other.pool.faults.next("refuse", Unavailable("it hangs"))
    other.round()
    assert other.refuses == []
    other.round()
    assert other.refuses == ["w-1"]


def test_what_a_collector_may_not_have_heard_it_is_told_again() -> None:
    told: list[int] = []

    class Collector(MemoryPool):
        def refuse(self, entries: Sequence[Revocation]) -> None:
            told.append(len(entries))
            super().refuse(entries)

    pool = Collector()
    pool.revoke("w-1", NOON)
    pool.faults.next("refuse", Unavailable("it hangs"), after_acting=True)
    both = shared(Records(MemoryKeyValue()), pool, lambda: NOON)
    for _ in range(3):
        both.share()
    assert told == [1, 1], "in vain, and once more"


def test_what_has_run_out_is_forgotten_by_all() -> None:
    store = MemoryKeyValue()
    one, other = Imc(store), Imc(store)
    one.pool.revoke("w-1", NOON)
    one.round()
    other.round()
    for imc in (one, other):
        imc.now = NOON + timedelta(days=8)
    one.pool.revoke("w-2", one.now)
    for imc in (one, other, one):
        imc.round()
    assert one.refuses == other.refuses == ["w-2"]


@given(first=LISTS, second=LISTS, now=st.integers(0, 20))
def test_both_sides_come_to_the_same_and_lose_nothing_that_counts(
    first: list[Revocation], second: list[Revocation], now: int
) -> None:
    found = merged([first, second], now)
    assert found == merged([second, first], now) == merged([found, first], now)
    by_identity = {entry.identity: entry for entry in found}
    assert len(by_identity) == len(found)
    for entry in (*first, *second):
        if entry.expires > now:
            kept = by_identity[entry.identity]
            assert kept.issued_until >= entry.issued_until and kept.expires >= entry.expires
    assert all(entry.expires > now for entry in found)
