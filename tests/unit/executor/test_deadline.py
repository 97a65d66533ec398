from __future__ import annotations

import threading
import time

import pytest
from builders_executor import Clock
from hypothesis import given
from hypothesis import strategies as st

from prominence.executor.deadline import PATIENCE_S, Walltime, left_s, supervise, why_end
from prominence.executor.ports import Cause, Farewell, Limits, RuntimeFailed, Stop


class Pretended:
    """Something that runs on a pretended clock."""

    def __init__(self, clock: Clock, ends_after_s: float, heeds_warning: bool = True, dies: bool = True) -> None:
        self._clock = clock
        self._started = clock.now
        self._ends_at = clock.now + ends_after_s
        self._heeds_warning = heeds_warning
        self._dies = dies
        self.exceeds: Cause | None = None
        self.exceeds_after_s = float("inf")
        self.warned_after: list[float] = []
        self.killed_after: list[float] = []

    def wait(self, timeout_s: float) -> bool:
        assert 0 <= timeout_s <= 0.25
        if self._ends_at <= self._clock.now + timeout_s:
            self._clock.now = max(self._clock.now, self._ends_at)
            return True
        self._clock.advance(timeout_s or 0.001)
        return False

    def warn(self) -> None:
        self.warned_after.append(self._clock.now - self._started)
        if self._heeds_warning:
            self._ends_at = self._clock.now

    def kill(self) -> None:
        self.killed_after.append(self._clock.now - self._started)
        if self._dies:
            self._ends_at = self._clock.now

    def exceeded(self) -> Cause | None:
        return self.exceeds if self._clock.now - self._started >= self.exceeds_after_s else None


def test_what_ends_in_time_is_left_alone() -> None:
    clock = Clock()
    running = Pretended(clock, ends_after_s=9.9)
    assert supervise(running, Limits(10, 5), Stop(), clock) is Cause.EXITED
    assert not running.warned_after and not running.killed_after


def test_a_limit_may_change_while_it_runs() -> None:
    clock, walltime = Clock(), Walltime(10)

    class Asks(Pretended):
        """For more when half of its time is over, and for less when it has had that."""

        def exceeded(self) -> Cause | None:
            walltime.limit_s = 10 if clock.now - self._started < 5 else 100 if clock.now - self._started < 50 else 60
            return None

    running = Asks(clock, ends_after_s=1000)
    assert supervise(running, walltime.left(4, 5), Stop(), clock) is Cause.OUT_OF_TIME
    assert running.warned_after == [pytest.approx(56)]


def test_what_has_no_limit_may_run_for_days() -> None:
    clock = Clock()
    assert supervise(Pretended(clock, 3 * 86400 / 100), Limits(None, 5), Stop(), clock) is Cause.EXITED


def test_at_the_walltime_comes_the_warning_and_who_heeds_it_is_not_killed() -> None:
    clock = Clock()
    running = Pretended(clock, ends_after_s=1000)
    assert supervise(running, Limits(10, 5), Stop(), clock) is Cause.OUT_OF_TIME
    assert running.warned_after == [pytest.approx(10)]
    assert running.killed_after == []


def test_who_does_not_heed_the_warning_is_killed_after_the_grace() -> None:
    clock = Clock()
    running = Pretended(clock, ends_after_s=1000, heeds_warning=False)
    assert supervise(running, Limits(10, 5), Stop(), clock) is Cause.OUT_OF_TIME
    assert running.killed_after == [pytest.approx(15)]


def test_a_stop_is_noticed_at_once_and_gives_grace_too() -> None:
    clock, stop = Clock(), Stop()
    stop.request()
    running = Pretended(clock, ends_after_s=1000, heeds_warning=False)
    assert supervise(running, Limits(None, 5), stop, clock) is Cause.STOPPED
    assert running.warned_after[0] < 0.5
    assert running.killed_after == [pytest.approx(5, abs=0.5)]


def test_a_stop_during_the_grace_does_not_change_the_cause() -> None:
    clock, stop = Clock(), Stop()
    running = Pretended(clock, ends_after_s=1000, heeds_warning=False)
    running.warn = stop.request  # type: ignore[method-assign]
    assert supervise(running, Limits(1, 5), stop, clock) is Cause.OUT_OF_TIME


@pytest.mark.parametrize("cause", [Cause.OUT_OF_MEMORY, Cause.OUT_OF_DISK])
def test_too_much_memory_or_disk_ends_it_without_a_warning(cause: Cause) -> None:
    clock = Clock()
    running = Pretended(clock, ends_after_s=1000)
    running.exceeds, running.exceeds_after_s = cause, 3
    assert supervise(running, Limits(None, 5), Stop(), clock) is cause
    assert running.warned_after == []
    assert running.killed_after[0] < 3.5


def test_what_cannot_be_killed_is_given_up() -> None:
    clock = Clock()
    running = Pretended(clock, ends_after_s=1000, heeds_warning=False, dies=False)
    with pytest.raises(RuntimeFailed, match="did not end"):
        supervise(running, Limits(1, 1), Stop(), clock)
    assert clock.now - 1000 == pytest.approx(2 + PATIENCE_S, abs=1)
    assert len(running.killed_after) > 10


@given(
    st.floats(0, 1e6), st.floats(0, 1e6), st.booleans(), st.sampled_from([None, Cause.OUT_OF_MEMORY, Cause.OUT_OF_DISK])
)
def test_something_is_ended_exactly_when_there_is_a_cause(
    elapsed: float, timeout: float, stopped: bool, over: Cause | None
) -> None:
    cause = why_end(elapsed, Limits(timeout), stopped, over)
    assert (cause is Cause.EXITED) == (elapsed < timeout and not stopped and over is None)


def test_what_was_spent_is_not_left() -> None:
    assert left_s(60, [20.0, 30.0, None]) == 10
    assert left_s(None, [20.0]) is None


def test_no_less_than_no_time_is_left() -> None:
    assert left_s(10, [11.0]) == 0


class Endless:
    """Something that really runs until it is killed."""

    def __init__(self) -> None:
        self._killed = threading.Event()
        self.begun_at, self.ended_at = time.monotonic(), 0.0

    def wait(self, timeout_s: float) -> bool:
        return self._killed.wait(timeout_s)

    def warn(self) -> None:
        return

    def kill(self) -> None:
        self.ended_at = time.monotonic()
        self._killed.set()

    def exceeded(self) -> Cause | None:
        return None


@pytest.mark.parametrize("jump_s", [-86_400.0, 86_400.0])
def test_a_jump_of_the_clock_on_the_wall_changes_no_deadline(monkeypatch: pytest.MonkeyPatch, jump_s: float) -> None:
    """A machine's time is set while a task runs: by hand, by a hypervisor, at its first contact with a time server."""
    really = time.time
    monkeypatch.setattr(time, "time", lambda: really() + jump_s)
    running = Endless()
    assert supervise(running, Limits(timeout_s=0.02, grace_s=0.0), Stop()) is Cause.OUT_OF_TIME
    assert running.ended_at - running.begun_at >= 0.02
    assert not Farewell(Stop(), 0.0).requested
    stop = Stop()
    farewell = Farewell(stop, 600.0)
    stop.request()
    assert not farewell.requested
