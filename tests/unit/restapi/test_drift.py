"""The accounts are counted again from HTCondor's history, and what differs is seen."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads
from prominence.core.jobid import JobId
from prominence.restapi.adapters.recount import HistoryRecount
from prominence.restapi.adapters.usage import UsageWriter
from prominence.restapi.archive import records
from prominence.restapi.booking import Run, Used
from prominence.restapi.drift import Drift, compare, recount

BANNER = "*** Offset = 1 ClusterId = 1 ProcId = 0\n"


def a_record(job: int, wall_s: float, **changes: object) -> str:
    facts = {"ClusterId": job, "JobUniverse": 5, "RemoteWallClockTime": wall_s, "RequestCpus": 2, **changes}
    facts = {classads.JOB_UID: '"u"', "ProminenceType": '"job"', **facts}
    return "".join(f"{name} = {value}\n" for name, value in facts.items() if value is not None) + BANNER


def booked(file: Path, history: Path, *runs: Run) -> None:
    """As the archive does it, as far as the history goes."""
    from prominence.core.logfile import news

    writer = UsageWriter(file)
    writer.book_usage(runs, history.name, news(history, writer.position(history.name), records.whole_ads).position)
    writer.close()


def a_run(job: int, core_ms: int) -> Run:
    return Run(job=JobId(job), number=1, after=Used(core_ms // 2, core_ms, 0))


def test_each_job_counts_once_with_its_last_record_and_what_is_no_job_of_ours_not_at_all() -> None:
    text = "".join(
        [
            a_record(1, 10),
            a_record(2, 1.5, RequestCpus="(MY.a ?: 1)", CumulativeSlotTime=7.25),
            a_record(1, 12),
            a_record(3, 5, JobUniverse=7),
            a_record(4, 5, **{classads.JOB_UID: None}),
            a_record(5, 0),
            a_record(6, 1, **{classads.ARRAY_INDEX: 3}),
            a_record(7, 1, **{classads.NODE: 1}),
        ]
    )
    assert recount(text) == {1: 24_000, 2: 7_250, int(JobId.member(6, 3)): 2_000, -int(JobId.member(7, 1)): 2_000}


def test_what_a_worker_says_of_a_job_is_no_line_of_the_record() -> None:
    name, said = "LastHoldReason", '"no\u2028RemoteWallClockTime = 99\u2028*** room"'
    assert recount(f"{name} = {said}\n" + a_record(1, 10)) == recount(a_record(1, 10)) != {}


def test_what_is_missing_or_different_is_drift() -> None:
    assert compare({1: 1000, 2: 1000, 3: 1000}, {1: 1000, 2: 900}) == Drift(3, 2, 1100)
    assert compare({}, {1: 5}) == Drift(0, 0, 0)


@given(st.text())
def test_no_history_breaks_it(text: str) -> None:
    recount(text)
    recount(f"ClusterId = {text}\n{BANNER}")
    assert isinstance(recount(a_record(1, 1, RequestCpus=text)), dict)


def test_the_end_of_the_history_is_counted_as_far_as_it_is_booked(tmp_path: Path) -> None:
    history, file = tmp_path / "history", tmp_path / "usage.db"
    history.write_text("".join(a_record(job, 10) for job in range(1, 101)))
    runs = [a_run(job, 20_000) for job in range(1, 100)]
    booked(file, history, *runs)
    assert HistoryRecount(file, history).drift() == Drift(100, 1, 20_000)
    booked(file, history, a_run(100, 20_000))
    assert HistoryRecount(file, history).drift() == Drift(100, 0, 0)
    with history.open("a") as log:
        log.write(a_record(101, 10))
    assert HistoryRecount(file, history).drift() == Drift(100, 0, 0), "what is not booked yet is no drift"
    last = HistoryRecount(file, history, most=2000).drift()
    assert 0 < last.counted < 20 and last.differing == 0
    history.rename(tmp_path / "history.1")
    history.write_text(a_record(102, 10))
    assert HistoryRecount(file, history).drift() == Drift(0, 0, 0)
