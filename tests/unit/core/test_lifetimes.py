"""Machines that are there for a time only, and the jobs that can end there."""

from __future__ import annotations

import classad2
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import lifetimes
from prominence.core.lifetimes import ANY, Walltimes, longest_ever, longest_now

NOW = 1_700_000_000
seconds = st.integers(0, 10**9)


def starts(walltime_s: int | None, ends_at: int) -> object:
    """What HTCondor makes of a machine's START."""
    machine = classad2.ClassAd({lifetimes.ENDS_AT: ends_at})
    job = classad2.ClassAd({} if walltime_s is None else {lifetimes.WALLTIME: walltime_s})
    machine["Requirements"] = classad2.ExprTree(lifetimes.START.replace("time()", str(NOW)))
    job["Requirements"] = True
    return machine.symmetricMatch(job)


@given(seconds, seconds)
def test_a_machine_takes_the_jobs_that_the_scaler_thinks_it_does(left_s: int, walltime_s: int) -> None:
    fits = walltime_s + 240 <= left_s
    assert starts(walltime_s, NOW + left_s) is fits
    assert (0 < walltime_s <= longest_now(left_s)) is (fits and walltime_s > 0)


def test_a_job_that_does_not_tell_its_walltime_does_not_start() -> None:
    assert starts(None, NOW + 10**6) is False


@given(seconds)
def test_a_machine_that_has_to_start_first_takes_no_longer_job_than_one_that_is_there(lifetime_s: int) -> None:
    assert 0 <= longest_ever(lifetime_s) <= longest_now(lifetime_s)


def test_of_walltimes_the_longest_is_among_them_and_the_one_below_is_not() -> None:
    some = Walltimes(60, 120)
    assert [some.hold(walltime) for walltime in (60, 61, 120, 121)] == [False, True, True, False]
    assert ANY.hold(1) and ANY.hold(10**9)
