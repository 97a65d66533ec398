"""Who is shut out at one imc is so at all, until somebody lets them in at any."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import NotFound, Unavailable
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.imc import outsiders
from prominence.imc.adapters.memory import MemoryPool
from prominence.imc.condor_text import Outsider
from prominence.imc.records import Records

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LISTS = st.lists(st.builds(Outsider, st.sampled_from(["a", "b", "c"]), st.integers(0, 5), st.booleans()), max_size=5)


class Imc:
    """One of several, with a collector of its own beside it, and a clock."""

    def __init__(self, store: MemoryKeyValue, late: timedelta = timedelta(0)) -> None:
        self.now = NOON - late
        self.pool = MemoryPool()
        self.records = Records(store)
        self._shared = outsiders.shared(self.records, self.pool)

    def shut_out(self, name: str) -> None:
        outsiders.shut_out(self.records, self.pool, name, self.now)

    def let_in(self, name: str) -> None:
        outsiders.let_in(self.records, self.pool, name, self.now)

    def round(self) -> None:
        self._shared.share()

    @property
    def hears_not(self) -> list[str]:
        return outsiders.names(self.pool.outsiders())


@pytest.fixture
def imcs() -> tuple[Imc, Imc]:
    """Two of one pool; the clock of the second is an hour behind."""
    store = MemoryKeyValue()
    return Imc(store), Imc(store, timedelta(hours=1))


def test_who_is_shut_out_at_one_is_so_at_the_other_a_round_later(imcs: tuple[Imc, Imc]) -> None:
    one, other = imcs
    token = other.pool.mint("node-1").get_secret_value()
    assert other.pool.join("node-1", token)
    one.shut_out("node-1")
    assert one.hears_not == ["node-1"], "at once"
    other.round()
    assert other.hears_not == ["node-1"]
    assert not other.pool.points and not other.pool.join("node-1", token)


def test_whoever_says_it_last_is_heard_whatever_the_clocks_say(imcs: tuple[Imc, Imc]) -> None:
    one, other = imcs
    one.shut_out("node-1")
    other.let_in("node-1")
    for imc in (one, other):
        imc.round()
        assert imc.hears_not == []
    with pytest.raises(NotFound):
        one.let_in("node-1")
    other.shut_out("node-1")
    one.round()
    assert one.hears_not == other.hears_not == ["node-1"]


def test_what_each_has_shut_out_before_they_shared_it_stays_out(imcs: tuple[Imc, Imc]) -> None:
    one, other = imcs
    one.pool.keep_out([Outsider("node-1")])
    other.pool.keep_out([Outsider("node-2")])
    for imc in (one, other, one):
        imc.round()
    assert one.hears_not == other.hears_not == ["node-1", "node-2"]


def test_a_store_that_has_forgotten_is_told_anew(imcs: tuple[Imc, Imc]) -> None:
    one, _ = imcs
    one.shut_out("node-1")
    restored = Imc(MemoryKeyValue())
    one.records = restored.records
    outsiders.shared(one.records, one.pool).share()
    restored.round()
    assert restored.hears_not == ["node-1"]


def test_a_collector_that_does_not_answer_is_told_in_the_next_round(imcs: tuple[Imc, Imc]) -> None:
    one, other = imcs
    one.shut_out("node-1")
    other.pool.faults.next("keep_out", Unavailable("it hangs"))
    other.round()
    assert other.hears_not == []
    other.round()
    assert other.hears_not == ["node-1"]


@given(LISTS, LISTS, LISTS)
def test_all_come_to_the_same_in_whatever_order_they_hear(
    one: list[Outsider], two: list[Outsider], three: list[Outsider]
) -> None:
    found = outsiders.merged([one, two, three])
    assert (
        found == outsiders.merged([three, two, one]) == outsiders.merged([outsiders.merged([two, one]), three, found])
    )
    for name in {entry.name for entry in (*one, *two, *three)}:
        [kept] = [entry for entry in found if entry.name == name]
        said = [entry for entry in (*one, *two, *three) if entry.name == name]
        last = max(entry.said_at for entry in said)
        assert kept.said_at == last
        assert kept.readmitted is all(entry.readmitted for entry in said if entry.said_at == last)
