"""When a job that its worker has failed is given back."""

from __future__ import annotations

from builders_executor import Clock

from prominence.executor.handing_back import PATIENCE_S, wait
from prominence.executor.ports import Stop


def waited(clock: Clock, told_after: float = 1e9, well_after: float = 1e9) -> bool:
    stop = Stop()
    started = clock.now

    def sleep(seconds: float) -> None:
        clock.advance(seconds)
        if clock.now - started >= told_after:
            stop.request()

    return wait(stop, lambda: clock.now - started >= well_after, clock, sleep)


def test_htcondor_is_given_time_to_end_the_job_itself() -> None:
    assert waited(Clock(), told_after=PATIENCE_S - 1)


def test_a_worker_that_is_well_again_gets_no_more_time() -> None:
    clock = Clock()
    assert not waited(clock, well_after=2)
    assert clock.now - 1000 < 3


def test_who_was_told_meanwhile_has_been_told() -> None:
    assert waited(Clock(), told_after=2, well_after=2)


def test_nobody_waits_for_ever() -> None:
    clock = Clock()
    assert not waited(clock)
    assert PATIENCE_S <= clock.now - 1000 < PATIENCE_S + 2
