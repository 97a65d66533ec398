"""Rounds over workers, on a cloud, a pool and a store in memory with a pretend clock."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from builders import a_flavour, a_size
from builders_imc import LARGE, SMALL, Inline, Later, PretendWorld, a_point, at

from prominence.core import tracing
from prominence.core.errors import (
    CredentialsRefused,
    NoSuchImage,
    OutOfCapacity,
    QuotaExceeded,
    Unavailable,
)
from prominence.core.machines import Quota, Wish, WorkerPhase
from prominence.imc.adapters.memory import Machine, MemoryCloud
from prominence.imc.leading import Replaced
from prominence.imc.lifecycle import TAKEN
from prominence.imc.ports import About, Node, NodeState
from prominence.imc.records import CLOUDS, WORKERS


@pytest.fixture
def world() -> PretendWorld:
    return PretendWorld()


def at_work(world: PretendWorld, name: str = "worker-1") -> None:
    """A worker that has joined."""
    world.ask(name)
    world.ticks(4)
    assert world.record(name).phase is WorkerPhase.REGISTERED


def test_a_requested_worker_gets_a_machine_and_joins(world: PretendWorld) -> None:
    world.ask()
    world.ticks(4)
    record = world.record()
    assert (record.phase, record.flavour, record.attempts) == (WorkerPhase.REGISTERED, SMALL, 1)
    assert set(world.cloud.machines) == {"worker-1"}


def test_an_absent_worker_leaves_nothing_and_its_token_is_dead(world: PretendWorld) -> None:
    at_work(world)
    token = world.cloud.machines["worker-1"].files[0].text
    world.wish("worker-1", Wish.ABSENT, "idle for 10 min")
    world.ticks(3)
    assert (world.record().phase, world.record().reason) == (WorkerPhase.DELETED, "idle for 10 min")
    assert not world.cloud.machines and not world.pool.points
    assert not world.pool.join("worker-1", token)


def test_a_drained_worker_keeps_its_jobs_and_can_be_wanted_again(world: PretendWorld) -> None:
    at_work(world)
    world.pool.claim("worker-1", 1)
    world.wish("worker-1", Wish.DRAINED)
    world.ticks(3)
    assert world.record().phase is WorkerPhase.DRAINING
    world.pool.claim("worker-1", 0)
    world.ticks(2)
    assert world.record().phase is WorkerPhase.DRAINED
    world.wish("worker-1", Wish.PRESENT)
    world.ticks(3)
    assert world.record().phase is WorkerPhase.REGISTERED
    assert not world.pool.points["worker-1"].draining


def test_a_vanished_machine_fails_its_worker_and_takes_its_ads_away(world: PretendWorld) -> None:
    at_work(world)
    del world.cloud.machines["worker-1"]
    while not world.record().phase.is_over:
        world.tick()
        assert world.cloud.traces or not world.pool.points
    assert (world.record().phase, world.record().reason) == (WorkerPhase.FAILED, "its machine vanished")
    assert not world.pool.points and not world.cloud.traces


def test_a_machine_is_not_taken_for_vanished_while_the_cloud_is_silent(world: PretendWorld) -> None:
    at_work(world)
    world.cloud.faults.next("nodes", Unavailable("Docker does not answer"), times=50)
    world.ticks(50, seconds=60)
    assert world.record().phase is WorkerPhase.REGISTERED
    assert world.records.clouds()[0].error == "Docker does not answer"
    world.tick()
    assert world.records.clouds()[0].error == ""


def test_a_worker_outlives_a_collector_that_forgot_it_for_a_while(world: PretendWorld) -> None:
    at_work(world)
    world.boots = False
    world.pool.points.clear()
    world.ticks(5, seconds=20)
    assert world.record().phase is WorkerPhase.LAUNCHED
    world.boots = True
    world.ticks(2)
    assert world.record().phase is WorkerPhase.REGISTERED


def test_a_worker_that_never_joins_is_removed_and_fails(world: PretendWorld) -> None:
    world.boots = False
    world.ask()
    world.ticks(2)
    assert world.record().phase is WorkerPhase.LAUNCHED
    world.tick(seconds=301)
    world.ticks(3)
    assert world.record().phase is WorkerPhase.FAILED
    assert world.record().reason == "it did not join the pool within 5 min"
    assert not world.cloud.machines


def test_a_machine_that_stopped_is_removed_and_its_worker_fails(world: PretendWorld) -> None:
    at_work(world)
    world.cloud.turn("worker-1", NodeState.STOPPED, "exit code 137")
    world.ticks(3)
    assert world.record().phase is WorkerPhase.FAILED
    assert world.record().reason == "its machine is stopped: exit code 137"
    assert not world.cloud.machines


def test_a_worker_that_its_cloud_takes_away_has_not_failed(world: PretendWorld) -> None:
    at_work(world)
    world.pool.points["worker-1"] = a_point(claimed_slots=1, leaving=True)
    world.tick()
    record = world.record()
    assert (record.taken_at, record.reason) == (world.now, "its cloud takes its machine away")
    assert record.phase is WorkerPhase.REGISTERED
    del world.cloud.machines["worker-1"]
    world.ticks(3)
    assert (world.record().phase, world.record().reason) == (WorkerPhase.DELETED, TAKEN)
    assert not world.pool.points and not world.cloud.traces


def test_one_that_was_taken_away_before_it_joined_does_not_count_against_its_flavour() -> None:
    """By the cloud's own word."""
    world = PretendWorld(limit=40, join_s=60)
    world.boots = False
    for number in range(4):
        world.ask(f"worker-{number}", size=a_size(1, 1, 1))
        world.tick()
        world.cloud.turn(f"worker-{number}", NodeState.STOPPED, taken=True)
        world.ticks(4)
        record = world.record(f"worker-{number}")
        assert (record.phase, record.reason, record.wasted_at) == (WorkerPhase.DELETED, TAKEN, None)
        assert record.flavour and record.flavour.name == "small"
    [docker, _] = world.records.clouds()
    assert not docker.troubles and "small" not in docker.records


def test_a_create_that_timed_out_after_acting_is_adopted(world: PretendWorld) -> None:
    world.cloud.faults.next("create", Unavailable("timed out"), after_acting=True)
    world.ask()
    world.ticks(5)
    assert (world.record().phase, world.record().attempts) == (WorkerPhase.REGISTERED, 1)


def test_out_of_capacity_leads_to_the_next_offer(world: PretendWorld) -> None:
    world.cloud.faults.next("create", OutOfCapacity("no small ones left"))
    world.ask()
    world.ticks(3)
    assert world.record().flavour == LARGE
    assert set(world.cloud.machines) == {"worker-1"}


@pytest.mark.parametrize("error", [QuotaExceeded("20 cores at most"), NoSuchImage("gone"), CredentialsRefused("no")])
def test_a_cloud_that_refuses_is_left_alone_for_a_while_and_says_why(world: PretendWorld, error: Exception) -> None:
    world.cloud.faults.next("create", error)
    world.ask()
    world.tick()
    world.tick(seconds=1)
    assert world.records.clouds()[0].error == str(error)
    assert world.records.clouds()[0].retry_at is not None
    assert str(error) in world.record().reason
    world.ticks(4)
    assert world.record().phase is WorkerPhase.REGISTERED
    assert world.records.clouds()[0].error == ""


def test_a_cloud_that_keeps_refusing_is_asked_less_and_less_and_the_worker_fails(world: PretendWorld) -> None:
    world.cloud.faults.next("create", NoSuchImage("no image prominence-worker"), times=1000)
    world.ask()
    world.ticks(160)
    record = world.record()
    assert record.phase is WorkerPhase.FAILED
    assert "no image prominence-worker" in record.reason
    assert record.attempts <= 10


def test_workers_beyond_the_limit_wait_and_say_for_what(world: PretendWorld) -> None:
    for number in range(6):
        world.ask(f"worker-{number}")
    world.ticks(5)
    assert len(world.cloud.machines) == 4
    waiting = world.record("worker-5")
    assert (waiting.phase, waiting.reason) == (
        WorkerPhase.REQUESTED,
        "waits for room: docker: 4 of 4 workers exist",
    )
    world.wish("worker-0", Wish.ABSENT)
    world.ticks(6)
    assert world.record("worker-4").phase is WorkerPhase.REGISTERED


def test_a_worker_that_no_flavour_can_hold_fails_at_once(world: PretendWorld) -> None:
    world.ask(size=a_size(100, 1, 1))
    world.ticks(3)
    assert world.record().phase is WorkerPhase.FAILED
    assert "no flavour will do: docker/small: has 2 CPUs where 100 are needed" in world.record().reason


def test_a_worker_that_is_absent_before_it_was_made_is_never_made(world: PretendWorld) -> None:
    world.ask()
    world.wish("worker-1", Wish.ABSENT)
    world.ticks(2)
    assert world.record().phase is WorkerPhase.DELETED
    assert world.record().attempts == 0


def test_a_failing_deletion_is_tried_again_and_the_record_says_so(world: PretendWorld) -> None:
    at_work(world)
    world.cloud.faults.next("delete", Unavailable("Docker does not answer"), times=3)
    world.wish("worker-1", Wish.ABSENT)
    world.ticks(2)
    assert world.record().reason == "delete failed: Docker does not answer"
    world.ticks(15)
    assert world.record().phase is WorkerPhase.DELETED
    assert not world.cloud.machines


def test_the_end_is_not_recorded_before_ads_and_token_are_gone(world: PretendWorld) -> None:
    at_work(world)
    world.pool.faults.next("revoke", Unavailable("the collector is down"), times=2)
    world.wish("worker-1", Wish.ABSENT)
    world.ticks(3)
    assert not world.record().phase.is_over
    world.ticks(5)
    assert world.record().phase is WorkerPhase.DELETED


def test_that_somebody_writes_while_a_worker_is_forgotten_ends_no_round(
    world: PretendWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ask()
    world.ticks(3)
    world.wish("worker-1", Wish.ABSENT)
    world.ticks(3)
    inner = world.store.delete_if

    def late(key: str, expected: int | None) -> None:
        monkeypatch.setattr(world.store, "delete_if", inner)
        world.wish("worker-1", Wish.ABSENT, "once more")
        inner(key, expected)

    monkeypatch.setattr(world.store, "delete_if", late)
    world.tick(world.deadlines.keep_s)
    assert world.records.get("worker-1") is None


def test_ended_workers_are_shown_for_a_while_and_then_forgotten(world: PretendWorld) -> None:
    at_work(world)
    world.wish("worker-1", Wish.ABSENT)
    world.ticks(10)
    world.tick(seconds=3500)
    assert world.record().phase is WorkerPhase.DELETED
    world.tick(seconds=100)
    assert world.records.get("worker-1") is None


def test_a_machine_without_a_record_is_deleted_after_the_grace_time(world: PretendWorld) -> None:
    world.cloud.machines["stray"] = Machine(Node("stray", NodeState.STOPPED), SMALL)
    world.tick()
    world.tick(seconds=58)
    assert "stray" in world.cloud.machines
    world.tick(seconds=3)
    assert "stray" not in world.cloud.machines


def test_a_machine_whose_record_cannot_be_read_is_no_orphan(world: PretendWorld) -> None:
    at_work(world)
    world.store.put_if(f"{WORKERS}worker-1", b"of a later version", None)
    world.ticks(100)
    assert "worker-1" in world.cloud.machines


def test_a_machine_of_the_same_name_on_another_cloud_is_an_orphan(world: PretendWorld) -> None:
    at_work(world)
    world.other.machines["worker-1"] = Machine(Node("worker-1", NodeState.RUNNING), SMALL)
    world.ticks(40)
    assert not world.other.machines
    assert "worker-1" in world.cloud.machines


def test_a_machine_left_over_under_a_new_name_is_replaced(world: PretendWorld) -> None:
    world.cloud.machines["worker-1"] = Machine(Node("worker-1", NodeState.STOPPED), LARGE)
    world.ask()
    world.ticks(6)
    assert world.record().phase is WorkerPhase.REGISTERED
    assert world.cloud.machines["worker-1"].flavour == SMALL


def test_a_machine_that_comes_after_the_end_is_removed(world: PretendWorld) -> None:
    at_work(world)
    machine = world.cloud.machines["worker-1"]
    world.wish("worker-1", Wish.ABSENT)
    world.ticks(3)
    world.cloud.machines["worker-1"] = machine
    world.ticks(2)
    assert not world.cloud.machines


def test_one_worker_in_trouble_does_not_hold_up_another(world: PretendWorld) -> None:
    at_work(world, "worker-1")
    world.cloud.faults.next("delete", Unavailable("busy"), times=1000)
    world.wish("worker-1", Wish.ABSENT)
    world.ask("worker-2")
    world.ticks(5)
    assert world.record("worker-2").phase is WorkerPhase.REGISTERED


def test_a_round_without_the_store_does_nothing(world: PretendWorld) -> None:
    world.ask()
    world.store.unavailable = "etcd is down"
    with pytest.raises(Unavailable):
        world.tick()
    assert not world.cloud.machines


def test_whoever_lost_the_lead_while_looking_does_nothing(world: PretendWorld) -> None:
    world.ask()
    world.reconciler.round(may_act=lambda: False)
    assert not world.cloud.machines
    assert world.record().attempts == 0


@pytest.mark.parametrize("answers", range(1, 9))
def test_whoever_loses_the_lead_in_a_round_leaves_the_rest_of_it_to_another(answers: int) -> None:
    """After so many times of asking; the other finds all in order."""
    world = PretendWorld(limit=10)
    for number in range(4):
        world.ask(f"worker-{number}")
    asked = iter([True] * answers)
    with suppress(Replaced):
        world.reconciler.round(may_act=lambda: next(asked, False))
    made = len(world.cloud.machines)
    before = [world.record(f"worker-{number}") for number in range(4)]
    with suppress(Replaced):
        world.reconciler.round(may_act=lambda: False)
    assert len(world.cloud.machines) == made < 4
    assert before == [world.record(f"worker-{number}") for number in range(4)]
    world.reconciler = world.new_reconciler()
    world.ticks(5)
    assert {world.record(f"worker-{number}").phase for number in range(4)} == {WorkerPhase.REGISTERED}
    assert all(machine.node.copies == 1 for machine in world.cloud.machines.values())


def test_a_step_under_way_is_not_begun_twice_and_holds_nobody_up() -> None:
    threads = Later()
    world = PretendWorld(threads=threads)
    world.ask("slow")
    world.tick()
    world.ask("worker-2")
    world.ticks(3)
    assert len(threads.waiting) == 2
    threads.run_all()
    world.ticks(3)
    assert {world.record(name).phase for name in ("slow", "worker-2")} == {WorkerPhase.REGISTERED}


def test_a_wish_that_changes_during_a_create_is_met_after_it() -> None:
    threads = Later()
    world = PretendWorld(threads=threads)
    world.ask()
    world.tick()
    world.wish("worker-1", Wish.ABSENT)
    world.tick()
    threads.run_all()
    assert "worker-1" in world.cloud.machines
    for _ in range(3):
        world.tick()
        threads.run_all()
    assert world.record().phase is WorkerPhase.DELETED
    assert not world.cloud.machines


def test_a_create_that_ends_after_its_worker_does_not_bring_it_back() -> None:
    paused = Later()
    world = PretendWorld(threads=paused)
    world.ask()
    world.tick()
    world.wish("worker-1", Wish.ABSENT)
    world.threads = Inline()
    world.reconciler = world.new_reconciler()
    world.ticks(2)
    assert world.record().phase is WorkerPhase.DELETED
    paused.run_all()
    assert world.record().phase is WorkerPhase.DELETED
    world.ticks(2)
    assert not world.cloud.machines


def test_a_worker_that_moves_to_another_cloud_leaves_no_trace_on_the_first(world: PretendWorld) -> None:
    second = MemoryCloud("second", [a_flavour(cloud="second", price=100.0)])
    world.cloud = MemoryCloud("docker", [SMALL], limit=1)
    world.reconciler = world.new_reconciler({"docker": world.cloud, "second": second})
    world.cloud.faults.next("create", Unavailable("timed out"))
    world.ask()
    world.tick()
    assert world.cloud.traces == {"worker-1"}
    world.cloud.machines["stray"] = Machine(Node("stray", NodeState.STOPPED), SMALL)
    world.ticks(2)
    assert set(second.machines) == {"worker-1"}
    assert not world.cloud.traces


def test_a_worker_whose_create_failed_does_not_stand_in_its_own_way() -> None:
    world = PretendWorld(limit=1)
    world.cloud.faults.next("create", Unavailable("timed out"))
    world.ask()
    world.ticks(6)
    assert world.record().phase is WorkerPhase.REGISTERED


def test_a_mistake_of_ours_in_one_step_is_logged_and_the_step_repeated(caplog: pytest.LogCaptureFixture) -> None:
    threads = Later()
    world = PretendWorld(threads=threads)
    world.ask()
    world.tick()
    future, _ = threads.waiting.pop()
    future.set_exception(KeyError("oops"))
    world.tick()
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "step failed by a mistake of ours"
    ]
    world.tick(seconds=3)
    threads.run_all()
    world.tick()
    assert world.record().phase is WorkerPhase.REGISTERED


def test_news_wake_the_loop_and_waiting_does_not(world: PretendWorld) -> None:
    world.ask()
    world.tick()
    assert world.woken
    world.ticks(4)
    woken = world.woken
    world.ticks(5)
    assert world.woken == woken


def test_clouds_keep_their_flavours_while_they_are_silent(world: PretendWorld) -> None:
    world.tick()
    world.cloud.faults.next("flavours", Unavailable("down"))
    world.ask()
    world.tick()
    status = world.records.clouds()[0]
    assert (status.error, [flavour.name for flavour in status.flavours]) == ("down", ["small", "large"])
    assert world.record().reason.startswith("waits for room: docker: down")


def test_a_flavour_whose_machines_never_join_is_left_alone_after_three_of_them() -> None:
    world = PretendWorld(limit=40, join_s=60)
    world.boots = False
    for number in range(6):
        world.ask(f"worker-{number}", size=a_size(1, 1, 1))
        world.ticks(6, seconds=30)
    tried = [record.flavour.name for record in world.records.all().records if record.flavour]
    assert tried == ["small"] * 3 + ["large"] * 3
    [docker, _] = world.records.clouds()
    assert "never joined" in docker.troubles["small"]
    assert docker.records["small"].joined == 0


def test_what_is_known_of_clouds_is_published_for_people() -> None:
    world = PretendWorld()
    world.ask(size=a_size(1, 1, 1))
    world.ticks(3)
    world.cloud.machines["stranger"] = Machine(Node("stranger", NodeState.RUNNING), SMALL)
    world.tick()
    [docker, _] = world.records.clouds()
    assert (docker.occupied, docker.cpus, docker.orphans) == (2, SMALL.size.cpus, ("stranger",))
    assert docker.silent_since is None
    world.cloud.faults.next("nodes", Unavailable("it is down"), times=2)
    world.ticks(2)
    [docker, _] = world.records.clouds()
    assert (docker.error, docker.silent_since) == ("it is down", at(10))


def test_a_cloud_may_have_its_own_time_to_boot() -> None:
    world = PretendWorld(join_s=60)
    world.cloud = MemoryCloud("docker", [SMALL, LARGE], 4, join_s=600)
    world.reconciler = world.new_reconciler()
    world.boots = False
    world.ask()
    world.ticks(10, seconds=30)
    assert world.record().phase is WorkerPhase.LAUNCHED
    world.ticks(15, seconds=30)
    assert "did not join the pool within 10 min" in world.record().reason


def test_a_quota_that_the_cloud_tells_holds_workers_up_and_is_told_with_its_age(world: PretendWorld) -> None:
    world.cloud.known = About(quota=Quota(machines=1), image="worker-2", ages_s={"quota": 100})
    world.ask("worker-1")
    world.ask("worker-2")
    world.ticks(3)
    assert len(world.cloud.machines) == 1
    assert "docker: 1 of 1 workers exist" in world.record("worker-2").reason
    status = next(one for one in world.records.clouds() if one.name == "docker")
    assert (status.most, status.image, status.memory_mib) == (1, "worker-2", SMALL.size.memory_mib)
    assert 90 <= (world.now - status.seen_at["quota"]).total_seconds() <= 110
    assert (world.now - status.seen_at["machines"]).total_seconds() <= 10


def test_what_is_told_of_clouds_at_rest_is_not_stored_anew_each_round(world: PretendWorld) -> None:
    world.now = at(10)
    world.tick(1)
    before = world.store.get(CLOUDS)
    world.ticks(3, 2)
    assert before is not None and world.store.get(CLOUDS) == before


def test_a_worker_remembers_which_cloud_refused_it_and_why(world: PretendWorld) -> None:
    world.cloud.faults.next("create", OutOfCapacity("sold out"))
    world.ask()
    world.ticks(6)
    record = world.record()
    assert (record.phase, record.flavour, record.refusals) == (
        WorkerPhase.REGISTERED,
        LARGE,
        ("docker/small: sold out",),
    )


def test_all_that_is_done_for_a_worker_is_logged_under_the_request_that_ordered_it(world: PretendWorld) -> None:
    seen: list[tuple[str, str]] = []
    create = world.cloud.create

    def noting(name: str, *rest: Any) -> None:
        seen.append((name, tracing.current()))
        create(name, *rest)

    world.cloud.create = noting  # type: ignore[method-assign]
    world.ask("worker-1", order="r-1")
    world.ask("worker-2", order="r-2")
    world.tick()
    assert sorted(seen) == [("worker-1", "r-1"), ("worker-2", "r-2")]
    assert world.record("worker-1").order == "r-1"
    world.ask("worker-1", order="r-3")
    assert (world.record("worker-1").order, tracing.current()) == ("r-1", "")
