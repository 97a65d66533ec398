"""How long idle workers are kept, by what that has saved lately, and what is remembered of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from builders import NOON, a_snapshot, minutes
from builders_scaler import SMALL, a_known_worker, a_point
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.machines import Wish, Worker
from prominence.core.snapshot import ExecutePoint, PoolSnapshot, SeenIdle, SeenStart
from prominence.scaler import idling
from prominence.scaler.policy import Policy

TOOK_S, SHORT_S = 90, 60
DEAR = SMALL.model_copy(update={"price": 1.0})
LONG_AGO = NOON - minutes(60)
START = SeenStart(worker="w-0", cloud=DEAR.cloud, flavour=DEAR.name, seconds=TOOK_S, joined_at=LONG_AGO)


def a_stay(
    seconds: float, used: bool, flavour: str = DEAR.name, number: int = 0, life_s: float | None = None
) -> SeenIdle:
    """life_s: None: it did nothing else."""
    return SeenIdle(
        worker=f"w-{number}",
        cloud=DEAR.cloud,
        flavour=flavour,
        seconds=seconds,
        used=used,
        life_s=seconds if life_s is None else life_s,
        until=NOON,
    )


def kept_s(*stays: SeenIdle, policy: Policy | None = None) -> float:
    snapshot = a_snapshot(seen_starts=(START,), seen_idle=stays)
    return idling.Stays(policy or Policy(), snapshot).limit(a_known_worker(flavour=DEAR)).total_seconds()


@pytest.mark.parametrize(
    ("stays", "seconds"),
    [
        ((), TOOK_S),
        ((a_stay(90, False),), SHORT_S),
        ((a_stay(50, False), a_stay(40, True)), TOOK_S),
        ((a_stay(51, False), a_stay(40, True)), SHORT_S),
        ((a_stay(10, False),) * 9 + (a_stay(5, True),) * 2, TOOK_S),
        ((a_stay(90, False, flavour="another"),), TOOK_S),
        ((a_stay(90, False, life_s=1800),), TOOK_S),
        ((a_stay(90, False, life_s=1799),), SHORT_S),
    ],
)
def test_a_worker_is_kept_where_that_has_lately_saved_more_than_it_has_cost(
    stays: tuple[SeenIdle, ...], seconds: float
) -> None:
    assert kept_s(*stays) == seconds


def test_an_operator_may_value_a_start_higher_or_keep_all_workers() -> None:
    stays = (a_stay(100, False), a_stay(40, True))
    assert (kept_s(*stays), kept_s(*stays, policy=Policy(idle_boots=2))) == (SHORT_S, 2 * TOOK_S)
    assert kept_s(a_stay(90, False), policy=Policy(idle_boots=0)) == 600


@given(st.lists(st.builds(a_stay, st.floats(0, 1e6), st.booleans()), max_size=30), st.floats(0, 1e4), st.floats(0, 50))
def test_whatever_was_seen_it_is_kept_no_longer_than_the_policy_says(
    stays: list[SeenIdle], most_s: float, boots: float
) -> None:
    policy = Policy(idle_time_s=most_s, idle_boots=boots)
    seconds = kept_s(*stays, policy=policy)
    assert min(most_s, SHORT_S) - 1e-5 <= seconds <= most_s + 1e-5
    assert not boots or seconds <= max(SHORT_S, boots * TOOK_S) + 1e-5


def remembered(
    previous: PoolSnapshot | None, worker: Worker, point: ExecutePoint, after_s: float
) -> list[tuple[float, bool]]:
    found = idling.seen((point,), (worker,), previous, NOON + timedelta(seconds=after_s))
    return [(one.seconds, one.used) for one in found]


IDLE = a_snapshot(workers=(a_known_worker(flavour=DEAR, phase_since=LONG_AGO),), execute_points=(a_point(),))
STAYS, LEAVES = a_known_worker(flavour=DEAR), a_known_worker(flavour=DEAR, wish=Wish.DRAINED)


def test_it_is_remembered_how_long_a_worker_was_idle_until_a_job_came_or_it_was_let_go() -> None:
    assert remembered(IDLE, STAYS, a_point(busy_cpus=1), 30) == [(30, True)]
    assert remembered(IDLE, LEAVES, a_point(), 90) == [(90, False)]


def test_what_is_still_idle_or_was_leaving_or_was_not_seen_says_nothing() -> None:
    assert remembered(IDLE, STAYS, a_point(), 30) == []
    assert remembered(a_snapshot(workers=(LEAVES,), execute_points=(a_point(),)), LEAVES, a_point(), 30) == []
    assert remembered(a_snapshot(workers=None, execute_points=None), STAYS, a_point(busy_cpus=1), 30) == []
    assert remembered(None, STAYS, a_point(busy_cpus=1), 30) == []


def test_the_job_that_a_worker_was_ordered_for_is_no_saving() -> None:
    new = a_snapshot(workers=(a_known_worker(flavour=DEAR, phase_since=NOON),), execute_points=(a_point(),))
    assert remembered(new, STAYS, a_point(busy_cpus=1), 10) == []
    assert remembered(new, LEAVES, a_point(), 10) == [(10, False)]


def test_of_each_flavour_the_latest_are_remembered() -> None:
    known = tuple(a_stay(1, False, number=number) for number in range(idling.KEPT))
    other = a_stay(1, True, flavour="another")
    previous = IDLE.model_copy(update={"seen_idle": (*known, other)})
    found = idling.seen((a_point(),), (LEAVES,), previous, NOON + minutes(1))
    assert len(found) == idling.KEPT + 1
    assert other in found
    assert known[0] not in found
    assert (found[-1].seconds, found[-1].life_s) == (60, 61 * 60)
