"""What counts as being left of an account."""

from __future__ import annotations

import os

import pytest

from prominence.executor.broker.ending import anything_of, runs_as


def status(state: str = "S (sleeping)", threads: int = 1, uids: str = "7\t7\t7\t7") -> str:
    return f"Name:\tState:\\n\nState:\t{state}\nUid:\t{uids}\nGid:\t0\t0\t0\t0\nThreads:\t{threads}\n"


@pytest.mark.parametrize("uids", ["7\t7\t7\t7", "7\t0\t0\t0", "0\t0\t7\t0"])
def test_a_process_counts_for_each_of_its_users(uids: str) -> None:
    assert runs_as(status(uids=uids), 7)


@pytest.mark.parametrize("uids", ["0\t0\t0\t0", "77\t77\t77\t77"])
def test_that_of_another_account_does_not(uids: str) -> None:
    assert not runs_as(status(uids=uids), 7)


@pytest.mark.parametrize(("state", "threads", "counts"), [("Z (zombie)", 1, False), ("Z (zombie)", 2, True)])
def test_one_that_has_ended_does_not_unless_a_thread_of_it_runs_on(state: str, threads: int, counts: bool) -> None:
    assert runs_as(status(state, threads), 7) is counts


def test_we_are_here_and_nobody_is_whom_nobody_is() -> None:
    assert anything_of(os.getuid())
    assert not anything_of(2**31 - 5)
