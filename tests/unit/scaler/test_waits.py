"""Since when jobs wait, from nothing but how many there are at each look."""

from __future__ import annotations

from datetime import datetime, timedelta

from builders import NOON, a_demand, a_size, a_snapshot, minutes
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.placement import Placement
from prominence.core.snapshot import Demand, PoolSnapshot, SeenWait
from prominence.scaler import waits

PATIENCE, A_MINUTE = minutes(10), minutes(1)


def looked(counts: list[int], by: timedelta = A_MINUTE) -> list[tuple[int, int]]:
    """Look after look at a queue with so many jobs: in the end how many wait since which minute."""
    previous: PoolSnapshot | None = None
    for number, jobs in enumerate(counts):
        now = NOON + number * by
        demand = (a_demand(jobs=jobs),) if jobs else ()
        previous = a_snapshot(taken_at=now, demand=demand, seen_waits=waits.seen(demand, previous, now, PATIENCE))
    assert previous
    return [(round((one.since - NOON) / by), one.jobs) for one in previous.seen_waits]


def test_new_jobs_wait_since_now_and_of_fewer_the_oldest_have_gone() -> None:
    assert looked([2, 5]) == [(0, 2), (1, 3)]
    assert looked([2, 5, 4]) == [(0, 1), (1, 3)]
    assert looked([2, 5, 2]) == [(1, 2)]
    assert looked([2, 0, 1]) == [(2, 1)]


def test_those_whose_patience_is_over_are_not_told_apart() -> None:
    assert looked([1, 2, 3, *[3] * 12]) == [(0, 3)]


def test_jobs_that_came_nearly_together_are_not_told_apart() -> None:
    (only,) = looked([1, 2, 3], by=timedelta(seconds=10))
    assert only == (0, 3)


def test_nothing_is_remembered_without_patience() -> None:
    assert waits.seen((a_demand(),), None, NOON, timedelta(0)) == ()


def test_a_queue_that_does_not_answer_makes_no_job_younger() -> None:
    known = waits.seen((a_demand(),), None, NOON, PATIENCE)
    silent = waits.seen(None, a_snapshot(seen_waits=known), NOON + minutes(1), PATIENCE)
    assert silent == known
    assert waits.seen((a_demand(),), a_snapshot(seen_waits=silent), NOON + minutes(2), PATIENCE) == known


def test_jobs_are_known_again_when_machines_have_other_kinds() -> None:
    def told(kinds: tuple[int, ...]) -> Demand:
        return a_demand(placement=Placement(kinds=kinds))

    known = waits.seen((told((0, 1)),), None, NOON, PATIENCE)
    assert waits.seen((told((0, 2)),), a_snapshot(seen_waits=known), NOON + minutes(1), PATIENCE) == known


def test_each_kind_of_job_has_its_own_time() -> None:
    first = waits.seen((a_demand(),), None, NOON, PATIENCE)
    later = NOON + minutes(1)
    both = waits.seen((a_demand(), a_demand(user="bob")), a_snapshot(seen_waits=first), later, PATIENCE)
    assert {(one.user, one.since) for one in both} == {("alice", NOON), ("bob", later)}


def test_a_clock_that_is_put_back_makes_no_job_wait_for_longer() -> None:
    known = waits.seen((a_demand(),), None, NOON + minutes(60), PATIENCE)
    (one,) = waits.seen((a_demand(),), a_snapshot(seen_waits=known), NOON, PATIENCE)
    assert one.since == NOON


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30), st.integers(1, 400))
def test_no_job_counts_as_younger_than_it_is(steps: list[tuple[int, int]], by_s: int) -> None:
    queue: list[datetime] = []
    seen: tuple[SeenWait, ...] = ()
    now = NOON
    for started, submitted in steps:
        queue = [*queue[started:], *[now] * submitted]
        demand = (a_demand(size=a_size(), jobs=len(queue)),) if queue else ()
        seen = waits.seen(demand, a_snapshot(seen_waits=seen), now, PATIENCE)
        reckoned = [one.since for one in seen for _ in range(one.jobs)]
        assert len(reckoned) == len(queue)
        assert reckoned == sorted(reckoned)
        assert all(since <= truly for since, truly in zip(reckoned, queue, strict=True))
        assert len(seen) <= 22, "however many rounds there are"
        now += timedelta(seconds=by_s)
