"""What the scaler publishes goes into the store whatever the pool is like, and can be read again."""

from __future__ import annotations

import random
import string

import pytest
from builders import NOON, a_demand, a_size, a_snapshot, a_worker, an_execute_point
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import Rejected
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.keyvalue.port import LARGEST_VALUE
from prominence.core.published import PLAN_KEY, packed_plan, packed_snapshot, read_plan, unpacked
from prominence.core.reasons import Reason
from prominence.core.scaling import Explanation, ScalingPlan
from prominence.core.snapshot import PoolSnapshot


def _names(count: int) -> list[str]:
    """That no compression makes shorter by much."""
    chance = random.Random(1)
    return ["".join(chance.choices(string.ascii_letters, k=100)) for _ in range(count)]


def _explanations(names: list[str]) -> tuple[Explanation, ...]:
    return tuple(Explanation(size=a_size(), user=name, jobs=1, reason=Reason.POOL_LIMIT) for name in names)


def test_what_was_published_is_what_is_read() -> None:
    snapshot = a_snapshot(demand=(a_demand(),), workers=(a_worker(),), execute_points=(an_execute_point(),))
    assert unpacked(PoolSnapshot, packed_snapshot(snapshot).value) == snapshot
    plan = ScalingPlan(made_at=NOON, explanations=_explanations(["alice"]))
    assert unpacked(ScalingPlan, packed_plan(plan)) == plan


def test_a_pool_of_thousands_of_alike_workers_is_published_whole() -> None:
    snapshot = a_snapshot(workers=tuple(a_worker(name=f"w-{number}") for number in range(4000)))
    assert len(snapshot.model_dump_json()) > LARGEST_VALUE
    packed = packed_snapshot(snapshot).value
    assert len(packed) <= LARGEST_VALUE
    assert unpacked(PoolSnapshot, packed) == snapshot


def test_of_too_many_explanations_the_first_are_published_and_a_note_says_so() -> None:
    plan = ScalingPlan(made_at=NOON, explanations=_explanations(_names(200)), notes=("seen",))
    packed = packed_plan(plan, 10_000)
    published = unpacked(ScalingPlan, packed)
    assert len(packed) <= 10_000
    assert published.explanations == plan.explanations[:100]
    assert published.notes == ("seen", "too large to be published: only 100 of 200 explanations are")


def test_too_large_a_demand_is_left_out_as_unknown_and_idle_times_stay() -> None:
    demand = tuple(a_demand(user=name) for name in _names(200))
    snapshot = a_snapshot(demand=demand, execute_points=(an_execute_point(),), unknown={"workers": "imc is silent"})
    published = unpacked(PoolSnapshot, packed_snapshot(snapshot, 10_000).value)
    assert published.demand is None
    assert published.execute_points == snapshot.execute_points
    assert published.unknown == {"workers": "imc is silent", "demand": "too large to be published"}


@given(st.integers(min_value=400, max_value=3000), st.integers(min_value=0, max_value=30))
def test_whatever_the_limit_something_readable_is_published(largest: int, count: int) -> None:
    names = _names(count)
    plan = ScalingPlan(made_at=NOON, explanations=_explanations(names))
    packed = packed_plan(plan, largest)
    assert len(packed) <= largest
    assert len(unpacked(ScalingPlan, packed).explanations) + len(unpacked(ScalingPlan, packed).notes) >= min(count, 1)
    snapshot = a_snapshot(
        demand=tuple(a_demand(user=name) for name in names),
        workers=tuple(a_worker(reason=name) for name in names),
        execute_points=tuple(an_execute_point(name=name) for name in names),
    )
    packed = packed_snapshot(snapshot, largest).value
    assert len(packed) <= largest
    published = unpacked(PoolSnapshot, packed)
    assert published == snapshot or published.unknown


@pytest.mark.parametrize("value", [b"", b"\xff{", b'{"made_at": "noon"}', packed_snapshot(a_snapshot()).value[:-9]])
def test_what_cannot_be_read_is_rejected(value: bytes) -> None:
    store = MemoryKeyValue()
    store.put_if(PLAN_KEY, value, None)
    with pytest.raises(Rejected, match="ScalingPlan"):
        read_plan(store)


def test_there_is_no_plan_before_the_first() -> None:
    assert read_plan(MemoryKeyValue()) is None
