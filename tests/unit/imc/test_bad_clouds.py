"""Clouds and flavours that are no good: little is lost on them, and nothing on the good ones."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from builders import a_flavour, a_size
from builders_imc import PretendWorld
from hypothesis import given, settings
from hypothesis import strategies as st

from prominence.core.errors import (
    CredentialsRefused,
    NoSuchFlavour,
    NoSuchImage,
    OutOfCapacity,
    QuotaExceeded,
    Unavailable,
)
from prominence.core.machines import Flavour, Wish, WorkerPhase
from prominence.imc.adapters.memory import MemoryCloud
from prominence.imc.ports import NodeState
from prominence.imc.records import WORKERS
from prominence.imc.userdata import TOKEN

BAD = a_flavour(cloud="docker", name="bad", size=a_size(2, 4000, 20000), price=0.1)
GOOD = a_flavour(cloud="docker", name="good", size=a_size(2, 4000, 20000), price=1.0)
ELSEWHERE = a_flavour(cloud="other", name="elsewhere", size=a_size(2, 4000, 20000), price=5.0)
FOR_LONG = 10_000
HOUR = 3600


class Trial(PretendWorld):
    """Two clouds, the first cheaper; machines of `black_holes` never join. What fails is asked for by another name."""

    def __init__(self, *flavours: Flavour, probation: int | None = 3, black_holes: tuple[str, ...] = ()) -> None:
        super().__init__(join_s=60, place_s=100_000, keep_s=100_000)
        self.cloud = MemoryCloud("docker", flavours, 100, probation=probation)
        self.other = MemoryCloud("other", [ELSEWHERE], 100, probation=probation)
        self.black_holes = black_holes
        self.asked = 0
        self.wanted = 0
        self.created: Counter[str] = Counter()
        for cloud in (self.cloud, self.other):
            self._count(cloud)
        self.reconciler = self.new_reconciler()

    def boot(self) -> None:
        for cloud in (self.cloud, self.other):
            for name, machine in cloud.machines.items():
                if machine.node.state is NodeState.RUNNING and machine.flavour.name not in self.black_holes:
                    self.pool.join(name, next(file.text for file in machine.files if file.path == TOKEN))

    def want(self, count: int) -> None:
        self.wanted = count
        self._ask_again()

    def tick(self, seconds: float = 2) -> None:
        super().tick(seconds)
        self._ask_again()

    def at_work(self, cloud: str = "") -> int:
        found = (one for one in self.records.all().records if one.phase is WorkerPhase.REGISTERED)
        return sum(1 for one in found if one.flavour and cloud in ("", one.flavour.cloud))

    def wasted(self, flavour: Flavour) -> int:
        return sum(1 for one in self.records.all().records if one.wasted_at and one.flavour == flavour)

    def _ask_again(self) -> None:
        """As the scaler does."""
        alive = sum(1 for one in self.records.all().records if not one.phase.is_over and not one.failing)
        for _ in range(self.wanted - alive):
            self.asked += 1
            self.ask(f"worker-{self.asked}")

    def _count(self, cloud: MemoryCloud) -> None:
        inner = cloud.create

        def create(name: str, flavour: Flavour, files: object) -> None:
            self.created[flavour.name] += 1
            inner(name, flavour, files)  # type: ignore[arg-type]  # as it comes

        cloud.create = create  # type: ignore[method-assign]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_black_hole_wastes_three_machines_an_hour_at_most_and_the_others_get_all_the_work(restarts: bool) -> None:
    world = Trial(BAD, GOOD, black_holes=("bad",))
    world.want(20)
    for number in range(int(0.9 * HOUR / 10)):
        world.tick(10)
        if restarts and number % 7 == 0:
            world.reconciler = world.new_reconciler()
    assert world.wasted(BAD) <= 3 and world.created["bad"] <= 3
    assert world.wasted(GOOD) == 0
    assert world.at_work() == 20
    world.ticks(int(HOUR / 10), 10)
    assert world.created["bad"] <= 4


def test_a_machine_is_wasted_once_however_often_that_cannot_be_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that has no room left is read as before."""
    world = Trial(BAD, black_holes=("bad",))
    world.want(1)
    world.ticks(2)
    inner = world.store.put_if

    def full(key: str, *rest: Any) -> int:
        if key.startswith(WORKERS):
            raise Unavailable("etcd has no room")
        return inner(key, *rest)

    monkeypatch.setattr(world.store, "put_if", full)
    world.now += timedelta(seconds=60)
    for _ in range(5):
        with pytest.raises(Unavailable):
            world.tick()
    monkeypatch.setattr(world.store, "put_if", inner)
    world.ticks(5)
    assert world.created["bad"] == 2, "the flavour has wasted one, and is tried again"


def test_a_new_cloud_that_is_all_black_hole_gets_few_machines_at_once() -> None:
    world = Trial(BAD, GOOD, black_holes=("bad", "good"))
    world.want(20)
    for _ in range(100):
        world.tick(10)
        assert len([name for name in world.cloud.machines if name not in world.pool.points]) <= 3
    assert world.wasted(BAD) <= 3 and world.wasted(GOOD) <= 3
    assert world.at_work("other") == 20


def test_what_has_worked_once_is_on_no_probation() -> None:
    world = Trial(GOOD)
    world.want(1)
    world.ticks(5)
    assert world.at_work("docker") == 1
    world.reconciler = world.new_reconciler()
    world.want(20)
    world.ticks(1)
    assert world.created["good"] == 20


def test_a_worker_held_up_by_probation_is_told_so_and_asks_the_next_cloud() -> None:
    world = Trial(BAD, black_holes=("bad", "elsewhere"))
    world.want(10)
    world.ticks(2)
    assert (world.created["bad"], world.created["elsewhere"]) == (3, 3)
    assert "on probation: 3 of 3 machines have not joined the pool yet" in world.record("worker-9").reason


def test_a_region_that_is_down_for_an_hour_costs_no_worker_and_no_machine() -> None:
    world = Trial(GOOD)
    world.want(1)
    world.ticks(5)
    world.want(6)
    world.ticks(8)
    there = set(world.cloud.machines)
    assert world.at_work("docker") == 6
    for verb in ("nodes", "flavours", "create", "delete"):
        world.cloud.faults.next(verb, Unavailable("the region is down"), times=FOR_LONG)
    world.want(10)
    world.ticks(HOUR // 10, 10)
    assert set(world.cloud.machines) == there
    assert (world.at_work("docker"), world.at_work("other")) == (6, 4)
    status = next(one for one in world.records.clouds() if one.name == "docker")
    assert "the region is down" in status.error and status.silent_since is not None
    world.cloud.faults.clear()
    unwanted = min(there)
    world.wish(unwanted, Wish.ABSENT)
    world.ticks(60, 10)
    assert there - set(world.cloud.machines) == {unwanted}
    assert world.at_work() == 10


@pytest.mark.parametrize(
    "error",
    [
        CredentialsRefused("the key was revoked"),
        NoSuchImage("the image was deleted"),
        QuotaExceeded("20 of 20 cores"),
        NoSuchFlavour("it is gone"),
        OutOfCapacity("no host has room"),
    ],
    ids=["credentials", "image", "quota", "flavour", "stock"],
)
def test_a_cloud_that_refuses_for_an_hour_is_asked_less_and_less_while_others_work(error: Exception) -> None:
    world = Trial(GOOD)
    world.cloud.faults.next("create", error, times=FOR_LONG)
    world.want(6)
    world.ticks(HOUR // 10, 10)
    assert world.at_work("other") == 6
    assert not world.cloud.machines and not world.cloud.traces
    assert world.created["good"] <= 20
    world.cloud.faults.clear()
    world.want(8)
    world.ticks(30, 10)
    assert (world.at_work("docker"), world.at_work("other")) == (2, 6)


def test_a_flavour_that_is_gone_from_the_list_is_no_offer_and_its_workers_go_on() -> None:
    world = Trial(BAD, GOOD, probation=None)
    world.want(4)
    world.ticks(8)
    assert world.created["bad"] == 4
    world.cloud._flavours = (GOOD,)
    world.want(6)
    world.ticks(8)
    assert (world.created["bad"], world.created["good"]) == (4, 2)
    assert world.at_work() == 6


def test_stock_that_comes_back_is_used_again() -> None:
    world = Trial(BAD, GOOD)
    world.cloud.faults.next("create", OutOfCapacity("sold out"), times=1)
    world.want(1)
    world.ticks(5)
    assert (world.created["bad"], world.created["good"]) == (1, 1)
    world.ticks(30, 10)
    world.want(2)
    world.ticks(5)
    assert world.created["bad"] == 2


@settings(max_examples=30, deadline=None)
@given(
    st.sets(st.sampled_from(["bad", "good", "elsewhere"]), max_size=2),
    st.integers(1, 12),
    st.lists(st.integers(0, 40), max_size=4),
)
def test_whatever_is_bad_wastes_three_at_most_and_the_rest_does_the_work(
    bad: set[str], wanted: int, restarts: list[int]
) -> None:
    world = Trial(BAD, GOOD, black_holes=tuple(bad))
    world.want(wanted)
    for number in range(60):
        world.tick(15)
        if number in restarts:
            world.reconciler = world.new_reconciler()
    for flavour in (BAD, GOOD, ELSEWHERE):
        assert world.wasted(flavour) <= (3 if flavour.name in bad else 0)
    assert world.at_work() == wanted
