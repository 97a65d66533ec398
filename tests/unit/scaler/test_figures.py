"""What Prometheus reads of the scaler."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest
from builders import NOON, a_size
from builders_scaler import POLICY, SMALL, a_known_worker, a_point, a_pretend_pool

from prominence.core.errors import Conflict, Unavailable
from prominence.core.keyvalue.election import Election
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.machines import WorkerPhase
from prominence.core.scaling import LEADER_KEY, Act, Action, Cause, ScalingPlan
from prominence.core.snapshot import PoolSnapshot
from prominence.scaler.adapters.memory import PretendPool
from prominence.scaler.adapters.prometheus import Metrics
from prominence.scaler.board import Board
from prominence.scaler.figures import Joins, figures
from prominence.scaler.round import Rounds, World


class Measured:
    """A scaler on a pretend pool, and its figures."""

    def __init__(self) -> None:
        self.pool: PretendPool = a_pretend_pool()
        self.store = MemoryKeyValue(clock=lambda: 0.0)
        self.metrics = Metrics(lambda: self.pool.now)
        world = World(self.pool, self.pool, clock=lambda: self.pool.now, meter=self.metrics, stopwatch=lambda: 0.0)
        self.scaler = Rounds(
            world, POLICY, Election(self.store, LEADER_KEY, "me", 15), Board(self.store), None, lambda: False
        )

    def figure(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"prominence_scaler_{name}", labels)

    def labels(self, name: str) -> list[Mapping[str, str]]:
        families = {family.name: family for family in self.metrics.registry.collect()}
        return [sample.labels for sample in families[f"prominence_scaler_{name}"].samples]


@pytest.fixture
def measured() -> Measured:
    return Measured()


def test_demand_room_and_actions_are_told(measured: Measured) -> None:
    measured.pool.submit(a_size(2, 1000), "alice", jobs=2)
    measured.scaler.run()
    assert measured.figure("leader") == 1
    assert measured.figure("demand", resource="cpus") == 4
    assert measured.figure("demand", resource="memory") == 2000
    assert measured.figure("waiting_jobs", reason="WorkerRequested") == 2
    assert measured.figure("actions_total", act="create", reason="jobs", end="agreed") == len(measured.pool.records)
    assert measured.figure("rounds_total", end="ended") == 1
    assert measured.figure("decide_seconds_count") == 1
    for _ in range(3):
        measured.pool.advance(timedelta(seconds=30))
        measured.scaler.run()
    assert measured.figure("demand", resource="cpus") == 0
    total, free = (measured.figure(f"room_{kind}", resource="cpus") for kind in ("total", "free"))
    assert total and free is not None and total - free == 4
    assert sum(measured.figure("workers", **labels) or 0 for labels in measured.labels("workers")) == len(
        measured.pool.records
    )


def test_how_long_workers_take_to_join_is_told_by_cloud(measured: Measured) -> None:
    measured.pool.submit(a_size(), "alice")
    for _ in range(5):
        measured.scaler.run()
        measured.pool.advance(timedelta(seconds=30))
    assert measured.figure("join_seconds_count", cloud="docker") == 1
    assert measured.figure("join_seconds_sum", cloud="docker") == 60


def test_what_cannot_be_read_grows_old_and_is_not_zero(measured: Measured) -> None:
    measured.scaler.run()
    measured.pool.unavailable["demand"] = "the schedd is away"
    measured.pool.advance(timedelta(seconds=40))
    measured.scaler.run()
    measured.pool.advance(timedelta(seconds=2))
    assert measured.figure("snapshot_age_seconds", part="demand") == 42
    assert measured.figure("snapshot_age_seconds", part="workers") == 2
    assert measured.figure("demand", resource="cpus") is None
    assert measured.figure("room_total", resource="cpus") == 0


def test_whoever_stands_by_tells_nothing_of_the_pool(measured: Measured) -> None:
    measured.scaler.run()
    measured.store.put_if(LEADER_KEY, b"somebody else", getattr(measured.store.get(LEADER_KEY), "revision", 0))
    measured.scaler.run()
    assert measured.figure("leader") == 0
    assert measured.figure("snapshot_age_seconds", part="workers") is None
    assert measured.figure("room_total", resource="cpus") is None


def test_orders_in_vain_and_failed_rounds_are_counted(measured: Measured) -> None:
    drain = Action(act=Act.DRAIN, worker="w-1", reason="idle for 12 min", cause=Cause.IDLE, size=a_size())
    measured.metrics.acted(drain, Conflict("somebody else leads"))
    assert measured.figure("actions_total", act="drain", reason="idle", end="Conflict") == 1
    with pytest.raises(Unavailable), measured.metrics.round():
        raise Unavailable("etcd is away")
    assert measured.figure("rounds_total", end="failed") == 1


def test_nothing_is_told_by_user_job_or_worker(measured: Measured) -> None:
    for user in range(30):
        measured.pool.submit(a_size(1 + user % 4, 500 + user), f"user-{user}")
    for _ in range(4):
        measured.scaler.run()
        measured.pool.advance(timedelta(seconds=30))
    told = {
        label for family in measured.metrics.registry.collect() for sample in family.samples for label in sample.labels
    }
    assert told <= {"act", "end", "cloud", "phase", "part", "reason", "resource", "kind", "draining", "le"}
    assert sum(len(family.samples) for family in measured.metrics.registry.collect()) < 150


def test_machines_without_a_record_are_told_apart() -> None:
    points = (a_point("w-1"), a_point("static-1"), a_point("static-2", draining=True))
    snapshot = PoolSnapshot(taken_at=NOON, execute_points=points, workers=(a_known_worker("w-1"),))
    told = figures(snapshot, ScalingPlan(made_at=NOON))
    assert told.points == {(True, False): 1, (False, False): 1, (False, True): 1}
    assert told.free == SMALL.size + SMALL.size


class TestJoins:
    def test_who_was_there_before_is_not_counted_and_nobody_twice(self) -> None:
        joins = Joins()
        old, new = a_known_worker("w-1"), a_known_worker("w-2")
        assert joins.news([old]) == []
        assert [cloud for cloud, _ in joins.news([old, new])] == [SMALL.cloud]
        assert joins.news([old, new]) == []

    def test_a_worker_that_drains_already_joined_nobody_knows_when(self) -> None:
        joins = Joins()
        joins.news([])
        assert joins.news([a_known_worker("w-1").in_phase(WorkerPhase.DRAINING, NOON, "a test")]) == []
