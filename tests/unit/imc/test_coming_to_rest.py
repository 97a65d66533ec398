"""Whatever happens in between: once faults stop, rounds come to rest with the wished machines and no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from builders_imc import PretendWorld
from hypothesis import given, settings
from hypothesis import strategies as st

from prominence.core.errors import Conflict, OutOfCapacity, QuotaExceeded, Unavailable
from prominence.core.machines import Wish, WorkerPhase
from prominence.imc.ports import NodeState
from prominence.imc.records import Records

NAMES = ["worker-1", "worker-2", "worker-3"]


def rest(world: PretendWorld) -> None:
    """Faults end, setbacks pass, and some rounds later nothing moves any more."""
    world.store.unavailable = ""
    world.cloud.faults.clear()
    world.pool.faults.clear()
    for name in world.pool.points:
        world.pool.claim(name, 0)
    world.ticks(16, seconds=15)
    before = (world.records.all(), dict(world.cloud.machines), dict(world.pool.points))
    world.ticks(3)
    assert before == (world.records.all(), dict(world.cloud.machines), dict(world.pool.points))


def check(world: PretendWorld) -> None:
    """Exactly the wished machines, in the wished state."""
    alive = {record.name for record in world.records.all().records if not record.phase.is_over}
    assert set(world.cloud.machines) == alive
    assert world.cloud.traces == alive
    assert set(world.pool.points) == alive
    expected = {Wish.PRESENT: WorkerPhase.REGISTERED, Wish.DRAINED: WorkerPhase.DRAINED}
    for record in world.records.all().records:
        if record.request.wish is Wish.ABSENT:
            assert record.phase.is_over
        elif not record.phase.is_over:
            assert record.phase is expected[record.request.wish]
            assert world.cloud.machines[record.name].node.state is NodeState.RUNNING
        else:
            assert record.reason


errors = st.sampled_from([Unavailable("silent"), OutOfCapacity("sold out"), QuotaExceeded("used up")])
steps = st.one_of(
    st.tuples(st.just("wish"), st.sampled_from(NAMES), st.sampled_from(Wish)),
    st.tuples(st.just("rounds"), st.integers(1, 4), st.sampled_from([1, 30, 200])),
    st.tuples(st.just("cloud"), st.sampled_from(["create", "delete", "nodes"]), st.tuples(errors, st.booleans())),
    st.tuples(
        st.just("pool"),
        st.sampled_from(["execute_points", "drain", "undrain", "invalidate", "mint", "revoke"]),
        st.just((Unavailable("silent"), True)),
    ),
    st.tuples(st.just("vanish"), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("stop"), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("claim"), st.sampled_from(NAMES), st.integers(0, 2)),
    st.tuples(st.just("restart"), st.none(), st.none()),
    st.tuples(st.just("forgetful collector"), st.none(), st.none()),
)


def happen(world: PretendWorld, what: str, first: Any, second: Any) -> None:
    if what == "wish":
        try:
            world.ask(first, wish=second)
        except Conflict:
            return
    elif what == "rounds":
        world.ticks(first, seconds=second)
    elif what == "cloud":
        world.cloud.faults.next(first, second[0], after_acting=second[1] and isinstance(second[0], Unavailable))
    elif what == "pool":
        world.pool.faults.next(first, second[0], after_acting=second[1])
    elif what == "vanish":
        world.cloud.machines.pop(first, None)
    elif what == "stop" and first in world.cloud.machines:
        world.cloud.turn(first, NodeState.STOPPED)
    elif what == "claim" and first in world.pool.points:
        world.pool.claim(first, second)
    elif what == "restart":
        world.reconciler = world.new_reconciler()
    elif what == "forgetful collector":
        world.pool.points.clear()


@settings(max_examples=80, deadline=None)
@given(st.lists(steps, max_size=25))
def test_any_story_ends_with_the_wished_machines_and_no_orphan(story: list[tuple[str, Any, Any]]) -> None:
    world = PretendWorld(drain_s=100_000, keep_s=100_000)
    for what, first, second in story:
        happen(world, what, first, second)
    rest(world)
    check(world)


def test_without_faults_every_wished_worker_is_there() -> None:
    world = PretendWorld()
    for name in NAMES:
        world.ask(name)
    rest(world)
    assert set(world.cloud.machines) == set(NAMES)
    check(world)


class Killed(BaseException):
    """The process dies."""


class Mortal:
    """Calls of a port, one of which the process does not survive: it dies before it, or just after it."""

    def __init__(self, target: Any, clock: Clockwork) -> None:
        self._target = target
        self._clockwork = clock

    def __getattr__(self, verb: str) -> Any:
        found = getattr(self._target, verb)
        return self._clockwork.wrapped(found) if callable(found) else found


class Clockwork:
    """Counts calls, and kills at one of them."""

    def __init__(self, fatal: int, before: bool) -> None:
        self.calls = 0
        self._fatal = fatal
        self._before = before

    def wrapped(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls == self._fatal and self._before:
                raise Killed
            result = call(*args, **kwargs)
            if self.calls == self._fatal:
                raise Killed
            return result

        return counted


def create_two(world: PretendWorld) -> None:
    world.ask("worker-1")
    world.ask("worker-2")


def remove_one_and_drain_the_other(world: PretendWorld) -> None:
    create_two(world)
    world.ticks(5)
    world.wish("worker-1", Wish.ABSENT)
    world.wish("worker-2", Wish.DRAINED)


def lose_one(world: PretendWorld) -> None:
    create_two(world)
    world.ticks(5)
    del world.cloud.machines["worker-1"]


def run_until_killed(world: PretendWorld, fatal: int, before: bool) -> int:
    """Rounds of a process that dies at its call number `fatal`; how many calls it made."""
    clockwork = Clockwork(fatal, before)
    clouds = {name: Mortal(cloud, clockwork) for name, cloud in (("docker", world.cloud), ("other", world.other))}
    records = Records(Mortal(world.store, clockwork))  # type: ignore[arg-type]  # it has all that the store has
    world.reconciler = world.new_reconciler(clouds, Mortal(world.pool, clockwork), records)
    try:
        world.ticks(6)
    except Killed:
        assert clockwork.calls == fatal
    return clockwork.calls


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("story", [create_two, remove_one_and_drain_the_other, lose_one])
def test_a_process_that_dies_at_any_call_is_healed_by_the_next(
    story: Callable[[PretendWorld], None], before: bool
) -> None:
    survived = PretendWorld()
    story(survived)
    calls = run_until_killed(survived, 0, before)
    rest(survived)
    outcome = {record.name: (record.phase, record.reason) for record in survived.records.all().records}
    assert calls > 40
    for fatal in range(1, calls + 1):
        world = PretendWorld()
        story(world)
        run_until_killed(world, fatal, before)
        world.reconciler = world.new_reconciler()
        rest(world)
        check(world)
        found = {record.name: (record.phase, record.reason) for record in world.records.all().records}
        assert found.keys() == outcome.keys()
        assert {name: phase for name, (phase, _) in found.items()} == {n: phase for n, (phase, _) in outcome.items()}


def first_cloud_sold_out(world: PretendWorld) -> None:
    world.cloud.faults.next("create", OutOfCapacity("sold out"), times=4)


def first_cloud_used_up(world: PretendWorld) -> None:
    world.cloud.faults.next("create", QuotaExceeded("used up"), times=1)


def first_cloud_acts_and_does_not_answer(world: PretendWorld) -> None:
    for verb in ("create", "delete"):
        world.cloud.faults.next(verb, Unavailable("too late"), times=2, after_acting=True)


def first_cloud_lists_nothing(world: PretendWorld) -> None:
    world.cloud.faults.next("nodes", Unavailable("later"), times=3)


def remove_both_soon(world: PretendWorld) -> None:
    create_two(world)
    world.ticks(2)
    world.wish("worker-1", Wish.ABSENT)
    world.wish("worker-2", Wish.ABSENT)


FAULTS = [first_cloud_sold_out, first_cloud_used_up, first_cloud_acts_and_does_not_answer, first_cloud_lists_nothing]


def lives(story: Callable[[PretendWorld], None], fault: Callable[[PretendWorld], None], deaths: list[int]) -> int:
    """A story on two clouds, of which the first is in trouble, by processes that die one after the other.

    Returns how many calls the first of them made. Afterwards every wished worker has one machine, on one cloud.
    """
    world = PretendWorld(place_s=100_000)
    world.open_the_other_cloud()
    story(world)
    fault(world)
    calls = [run_until_killed(world, abs(fatal), before=fatal < 0) for fatal in deaths]
    world.reconciler = world.new_reconciler()
    rest(world)
    wished = {record.name for record in world.records.all().records if record.request.wish is not Wish.ABSENT}
    machines = [*world.cloud.machines, *world.other.machines]
    assert sorted(machines) == sorted(wished), (story.__name__, fault.__name__, deaths)
    assert world.cloud.traces | world.other.traces == wished
    assert all(record.reason for record in world.records.all().records)
    return calls[0]


@pytest.mark.parametrize("fault", FAULTS)
def test_no_two_deaths_leave_a_machine_behind_or_make_two(fault: Callable[[PretendWorld], None]) -> None:
    schedules = 0
    for story in (create_two, remove_both_soon):
        calls = lives(story, fault, [0])
        for first in range(1, calls + 1):
            for deaths in ([first], [-first], [first, first % 7 + 1], [-first, -(first % 11 + 1)]):
                lives(story, fault, deaths)
                schedules += 1
    assert schedules >= 300
