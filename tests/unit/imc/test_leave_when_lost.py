"""When a worker ends by itself: the program in its image that does it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worker_programs import loaded

leave = loaded("leave-when-lost")

LOST_S, UNUSED_S = 100, 1000


def ended_at(looks: list[tuple[bool, bool]], every_s: int = 10, lost_s: int = LOST_S, unused_s: int = UNUSED_S) -> int:
    """When the worker ends, if it sees these jobs and answers one after the other; -1: it does not."""
    now = 0
    watch = leave.Watch(lost_s, unused_s, lambda: now)
    for has_job, answers in looks:
        now += every_s
        if watch.reason(has_job, lambda said=answers: said):
            return now
    return -1


WORK, HEARD, ALONE = (True, False), (False, True), (False, False)


def test_a_worker_without_a_job_and_without_a_collector_ends() -> None:
    assert ended_at([HEARD] * 3 + [ALONE] * 50) == 30 + LOST_S


def test_a_worker_with_a_job_stays_whatever_it_hears() -> None:
    assert ended_at([WORK] * 500) == -1
    assert ended_at([WORK] * 20 + [ALONE] * 50) == 200 + LOST_S


def test_a_worker_that_is_heard_in_time_stays() -> None:
    assert ended_at(([ALONE] * 9 + [HEARD]) * 9) == -1


def test_a_worker_that_nobody_removes_ends_in_the_end() -> None:
    assert ended_at([WORK] * 10 + [HEARD] * 500) == 100 + UNUSED_S


@pytest.mark.parametrize(("lost_s", "unused_s", "end"), [(0, UNUSED_S, UNUSED_S), (LOST_S, 0, LOST_S)])
def test_each_of_the_two_times_can_be_switched_off(lost_s: int, unused_s: int, end: int) -> None:
    assert ended_at([ALONE] * 500, lost_s=lost_s, unused_s=unused_s) == end


@given(looks=st.lists(st.sampled_from([WORK, HEARD, ALONE]), max_size=120))
def test_no_worker_ends_that_has_a_job_or_had_an_answer_within_the_time(looks: list[tuple[bool, bool]]) -> None:
    end = ended_at(looks)
    if end < 0:
        return
    seen = looks[: end // 10]
    assert not seen[-1][0]
    last = max((number for number, (job, answers) in enumerate(seen, 1) if job or answers), default=0) * 10
    worked = max((number for number, (job, _) in enumerate(seen, 1) if job), default=0) * 10
    assert end - last >= LOST_S or end - worked >= UNUSED_S


def test_the_collector_is_not_asked_while_there_is_a_job() -> None:
    def never() -> bool:
        raise AssertionError

    assert leave.Watch(LOST_S, UNUSED_S, lambda: 0).reason(True, never) == ""


def test_a_collector_that_no_program_can_be_started_to_ask_has_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_process(*_: object, **__: object) -> None:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(leave.subprocess, "run", no_process)
    assert not leave.collector_answers()


def test_looks_are_frequent_enough_and_not_more() -> None:
    assert leave.Watch(1800, 86400, lambda: 0).pause_s == 180
    assert leave.Watch(0, 86400, lambda: 0).pause_s == 300
    assert leave.Watch(5, 0, lambda: 0).pause_s == 1


def test_a_job_is_seen_by_its_starter(tmp_path: Path) -> None:
    (tmp_path / "17").mkdir()
    assert not leave.has_job(tmp_path)
    (tmp_path / "17" / "comm").write_text("condor_startd\n")
    assert not leave.has_job(tmp_path)
    (tmp_path / "18").mkdir()
    (tmp_path / "18" / "comm").write_text("condor_starter\n")
    assert leave.has_job(tmp_path)
