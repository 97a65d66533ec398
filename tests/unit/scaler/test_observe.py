"""One look: what is unknown, and what is remembered."""

from __future__ import annotations

from datetime import datetime, timedelta

from builders import NOON, a_size, a_snapshot, minutes
from builders_scaler import SMALL, a_point, a_pretend_pool

from prominence.core.machines import Wish, WorkerPhase, WorkerRequest
from prominence.core.snapshot import PoolSnapshot, SeenFlavour
from prominence.scaler.adapters.memory import PretendPool
from prominence.scaler.before import Before
from prominence.scaler.observe import observe

GRACE = timedelta(minutes=2)


def look(pool: PretendPool, previous: PoolSnapshot | None = None) -> PoolSnapshot:
    return observe(pool, pool, Before(previous, pool.now, GRACE))


def a_pool_with_a_worker() -> PretendPool:
    pool = a_pretend_pool()
    request = WorkerRequest(size=a_size(), cloud="docker", flavour="small", wish=Wish.PRESENT, reason="test", fence=1)
    pool.request("w-1", request)
    pool.advance(timedelta(0))
    pool.advance(pool.boot_time)
    return pool


def idle_since(snapshot: PoolSnapshot) -> datetime | None:
    assert snapshot.execute_points is not None
    (point,) = snapshot.execute_points
    return point.idle_since


def test_every_part_is_seen() -> None:
    pool = a_pool_with_a_worker()
    pool.submit(a_size(), "alice", jobs=2)
    snapshot = look(pool)
    assert snapshot.taken_at == pool.now
    assert [(demand.user, demand.jobs) for demand in snapshot.demand or ()] == [("alice", 2)]
    assert [worker.name for worker in snapshot.workers or ()] == ["w-1"]
    assert [cloud.name for cloud in snapshot.clouds or ()] == ["docker"]
    assert snapshot.collector_started_at == pool.collector_started_at()
    assert snapshot.unknown == {}
    assert snapshot.read_at == dict.fromkeys(("demand", "execute_points", "workers", "clouds"), pool.now)


def test_a_part_that_cannot_be_read_is_unknown_and_the_others_are_not() -> None:
    for part in ("demand", "execute_points", "workers", "clouds"):
        pool = a_pool_with_a_worker()
        pool.unavailable[part] = "it does not answer"
        snapshot = look(pool)
        others = {"demand", "execute_points", "workers", "clouds"} - {part}
        assert getattr(snapshot, part) is None
        assert snapshot.unknown[part] == "it does not answer"
        assert all(getattr(snapshot, other) is not None for other in others)


def test_it_is_told_when_an_unknown_part_was_last_seen() -> None:
    pool = a_pool_with_a_worker()
    first = look(pool)
    pool.advance(minutes(3))
    pool.unavailable["workers"] = "it does not answer"
    second = look(pool, first)
    assert (second.read_at["workers"], second.read_at["demand"]) == (first.taken_at, pool.now)
    assert "workers" not in look(pool).read_at, "never"


def test_a_worker_is_idle_since_it_was_first_seen_idle() -> None:
    pool = a_pool_with_a_worker()
    first = look(pool)
    assert idle_since(first) == pool.now
    pool.advance(minutes(5))
    assert idle_since(look(pool, first)) == first.taken_at
    assert idle_since(look(pool)) == pool.now, "without a memory it counts from now"


def test_a_claim_ends_idleness() -> None:
    pool = a_pool_with_a_worker()
    first = look(pool)
    pool.submit(a_size(), "alice", runs_for=minutes(1))
    pool.advance(minutes(1))
    busy = look(pool, first)
    assert idle_since(busy) is None
    pool.advance(minutes(1))
    assert idle_since(look(pool, busy)) == pool.now


def test_with_patience_it_is_told_since_when_a_worker_is_hardly_used() -> None:
    pool = a_pool_with_a_worker()

    def since(previous: PoolSnapshot | None, patience_min: float = 10) -> datetime | None:
        before = Before(previous, pool.now, GRACE, patience=minutes(patience_min))
        (point,) = observe(pool, pool, before).execute_points or ()
        return point.hardly_used_since

    assert since(None) is None, "idle is something else"
    pool.submit(a_size(), "alice", runs_for=minutes(30))
    pool.advance(minutes(1))
    first = observe(pool, pool, Before(None, pool.now, GRACE, patience=minutes(10)))
    assert since(None) == first.taken_at
    pool.advance(minutes(2))
    assert since(first) == first.taken_at
    assert since(first, patience_min=0) is None
    pool.submit(a_size(), "alice", runs_for=minutes(30))
    pool.advance(minutes(1))
    assert since(first) is None, "half of it is used"


def test_what_a_new_collector_has_not_heard_of_stays_as_it_was_and_is_not_idle() -> None:
    pool = a_pool_with_a_worker()
    before = look(pool)
    pool.restart_collector()
    snapshot = look(pool, before)
    assert [point.name for point in snapshot.execute_points or ()] == ["w-1"]
    assert idle_since(snapshot) is None


def test_a_worker_that_is_over_is_no_machine_though_the_collector_is_new_or_tells_of_it_still() -> None:
    pool = a_pool_with_a_worker()
    before = look(pool)
    pool.records["w-1"] = pool.records["w-1"].in_phase(WorkerPhase.DELETED, pool.now, "idle")
    lingering = before.execute_points
    pool.restart_collector()
    assert look(pool, before).execute_points == ()
    pool.execute_points = lambda: lingering or ()  # type: ignore[method-assign]
    assert look(pool).execute_points == ()


def test_a_collector_of_unknown_age_is_taken_at_its_word_the_second_time() -> None:
    pool = a_pool_with_a_worker()
    before = look(pool)
    pool.restart_collector()
    pool.unavailable["collector_started_at"] = "nobody knows"
    first = look(pool, before)
    assert [point.name for point in first.execute_points or ()] == ["w-1"]
    assert look(pool, first).execute_points == ()
    assert look(pool).execute_points == ()


def test_a_collector_that_does_not_know_at_once_that_it_is_new_has_its_time_all_the_same() -> None:
    pool = a_pool_with_a_worker()
    before = look(pool)
    pool.restart_collector()
    pool.unavailable["collector_started_at"] = "nobody says since when the collector runs"
    first = look(pool, before)
    pool.unavailable.clear()
    assert [point.name for point in look(pool, first).execute_points or ()] == ["w-1"]


def test_what_a_collector_has_not_heard_of_for_long_is_gone() -> None:
    pool = a_pool_with_a_worker()
    pool.restart_collector()
    pool.advance(GRACE)
    old = a_snapshot(taken_at=pool.now, execute_points=(a_point("w-1"),))
    assert look(pool, old).execute_points == ()


def test_an_old_snapshot_does_not_fill_in_for_a_new_collector() -> None:
    pool = a_pretend_pool(collector_start=NOON)
    old = a_snapshot(taken_at=NOON - minutes(60), execute_points=(a_point("w-1"),))
    assert look(pool, old).execute_points == ()


def test_what_a_flavours_machine_offers_is_remembered_for_a_while() -> None:
    pool = a_pool_with_a_worker()
    pool.kept = a_size(0, 100, 0)
    first = look(pool)
    total = a_size(4, 3900, 40 * 1024)
    assert first.seen_flavours == (SeenFlavour(flavour=SMALL, total=total, seen_at=pool.now),)
    pool.records.clear()
    pool.advance(minutes(59))
    assert look(pool, first).seen_flavours == first.seen_flavours
    pool.advance(minutes(1))
    assert look(pool, first).seen_flavours == ()
