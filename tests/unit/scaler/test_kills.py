"""A scaler that is killed between any two of its calls, and clocks that jump: nothing twice, nothing lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from builders import a_size
from builders_scaler import LARGE, SMALL, a_pretend_pool
from hypothesis import example, given
from hypothesis import strategies as st

from prominence.core.keyvalue.election import Election
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.scaling import LEADER_KEY
from prominence.scaler.adapters.memory import PretendPool, ToldMeter
from prominence.scaler.board import Board
from prominence.scaler.policy import Policy
from prominence.scaler.round import Rounds, World

TTL_S = 15
STEP = timedelta(seconds=20)
POLICY = Policy(idle_time_s=60)


class Killed(BaseException):
    """kill -9: nothing of the process runs any more."""


@dataclass
class Life:
    """Counts the calls of a process, and kills it around one of them."""

    ends_at: int | None = None
    after_it: bool = False
    calls: int = 0

    def __call__(self, do: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        is_last = self.calls == self.ends_at
        if is_last and not self.after_it:
            raise Killed
        result = do(*map(_bare, arguments), **{name: _bare(value) for name, value in named.items()})
        if is_last:
            raise Killed
        return Mortal(result, self) if hasattr(result, "refresh") else result


class Mortal:
    """An adapter, of which every call is part of a life."""

    def __init__(self, real: Any, life: Life) -> None:
        self._real, self._life = real, life

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        return (lambda *a, **named: self._life(found, *a, **named)) if callable(found) else found


def _bare(value: Any) -> Any:
    return value._real if isinstance(value, Mortal) else value


@dataclass
class Story:
    """Jobs, a pool, and one scaler after the other. off: how far its clock is from the others'."""

    pool: PretendPool = field(default_factory=lambda: a_pretend_pool(SMALL, LARGE))
    seconds: float = 0
    off: timedelta = timedelta(0)
    starts: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.store = MemoryKeyValue(clock=lambda: self.seconds)
        for size, jobs in ((a_size(1, 1000), 5), (a_size(4, 4000), 2), (a_size(8, 2000), 1)):
            self.pool.submit(size, "alice", jobs=jobs, runs_for=timedelta(seconds=90))

    def scaler(self, life: Life) -> Rounds:
        store: Any = Mortal(self.store, life)
        pool: Any = Mortal(self.pool, life)
        world = World(pool, pool, clock=lambda: self.pool.now + self.off, meter=ToldMeter())
        return Rounds(world, POLICY, Election(store, LEADER_KEY, "me", TTL_S), Board(store), None, lambda: False)

    def round(self, scaler: Rounds) -> None:
        try:
            scaler.run()
        finally:
            self.let_pass(STEP)

    def let_pass(self, time: timedelta) -> None:
        before = [job.is_running for job in self.pool.jobs]
        self.pool.advance(time)
        self.seconds += min(time.total_seconds(), TTL_S - 1)
        for number, (was, job) in enumerate(zip(before, self.pool.jobs, strict=True)):
            self.starts[number] += job.is_running and not was

    def is_over(self) -> bool:
        return all(job.ended for job in self.pool.jobs) and all(w.phase.is_over for w in self.pool.records.values())

    def to_the_end(self, scaler: Rounds) -> None:
        for _ in range(200):
            if self.is_over():
                return
            self.round(scaler)
        raise AssertionError("it never came to rest")

    def has_run_once(self) -> bool:
        """Every job, and no machine is left."""
        return self.is_over() and set(self.starts.values()) == {1}

    def is_good(self) -> bool:
        """Every job ran once, on the machines that a scaler with a quiet life orders."""
        return self.has_run_once() and len(self.pool.records) == quiet().machines


@dataclass(frozen=True)
class Quiet:
    calls: int
    machines: int


@cache
def quiet() -> Quiet:
    """What a scaler does that nobody kills."""
    story, life = Story(), Life()
    story.to_the_end(story.scaler(life))
    assert set(story.starts.values()) == {1}
    return Quiet(life.calls, len(story.pool.records))


def _live(*lives: Life) -> Story:
    """One process after the other; the last one lives."""
    story = Story()
    for life in lives:
        with suppress(Killed):
            story.to_the_end(story.scaler(life))
        story.let_pass(STEP)
        story.seconds += TTL_S + 1
    story.to_the_end(story.scaler(Life()))
    return story


@pytest.mark.parametrize("after_it", [False, True], ids=["before", "after"])
def test_a_scaler_killed_around_any_call_leaves_nothing_twice_and_nothing_behind(after_it: bool) -> None:
    bad = [call for call in range(1, quiet().calls + 1) if not _live(Life(call, after_it)).is_good()]
    assert bad == []


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=2, max_size=4))
@example([(17, False), (1, False), (1, False), (1, False)])
def test_scalers_that_are_killed_one_after_the_other_do_no_more_harm_than_one(ends: list[tuple[int, bool]]) -> None:
    story = _live(*(Life(call, after_it) for call, after_it in ends))
    assert story.has_run_once()
    # While nobody orders the second machine for minutes, the first may have done the work of both.
    assert 1 <= len(story.pool.records) <= quiet().machines


@given(st.lists(st.tuples(st.integers(1, 5), st.floats(-7200, 7200)), max_size=6))
def test_a_clock_that_jumps_orders_nothing_twice_and_stops_no_work(jumps: list[tuple[int, float]]) -> None:
    story = Story()
    scaler = story.scaler(Life())
    for rounds, seconds in jumps:
        for _ in range(rounds):
            story.round(scaler)
        story.off = timedelta(seconds=seconds)
    story.to_the_end(scaler)
    assert story.is_good()
