"""When rounds come: at their interval, sooner when a job becomes idle, later while they fail."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import Unavailable
from prominence.scaler import loop
from prominence.scaler.loop import LOOK_EVERY_S, Pace

PACE = Pace(interval_s=5, least_s=0.5, settle_s=0.2)
AWAY = Unavailable("etcd is away")


class Run:
    """Rounds on a clock of their own, each of them this long; the last one stops the loop.

    news: the moments at which a job becomes idle. outcomes: how the rounds end, as far as they do not just end.
    """

    def __init__(
        self,
        rounds: int,
        news: list[float] | None = None,
        outcomes: list[Exception | None] | None = None,
        takes_s: float = 0,
    ) -> None:
        self.now = 0.0
        self.began: list[float] = []
        self._rounds, self._takes_s = rounds, takes_s
        self._news = sorted(news or [])
        self._outcomes = list(outcomes or [])
        self._stop = threading.Event()
        self._stop.wait = self._waited  # type: ignore[method-assign, assignment]
        loop.run(self._round, self._stop, PACE, self._heard if news is not None else None, lambda: self.now)

    def _round(self) -> None:
        self.began.append(self.now)
        self.now += self._takes_s
        if len(self.began) == self._rounds:
            self._stop.set()
        if self._outcomes and (outcome := self._outcomes.pop(0)):
            raise outcome

    def _heard(self) -> bool:
        found = [moment for moment in self._news if moment <= self.now]
        self._news = self._news[len(found) :]
        return bool(found)

    def _waited(self, timeout: float) -> bool:
        self.now += timeout + 1e-6
        return self._stop.is_set()


def pauses(run: Run) -> list[int]:
    return [round(after - before) for before, after in zip(run.began, run.began[1:], strict=False)]


def test_rounds_follow_each_other_at_the_interval() -> None:
    assert pauses(Run(4)) == pauses(Run(4, news=[])) == [5, 5, 5]


def test_pauses_grow_while_rounds_fail_and_shrink_again() -> None:
    outcomes: list[Exception | None] = [None, AWAY, AWAY, AWAY, None, AWAY, None]
    assert pauses(Run(8, outcomes=outcomes)) == [5, 5, 10, 10, 5, 5, 5]


def test_no_news_shortens_the_pause_after_a_failure() -> None:
    assert pauses(Run(3, news=[1, 6], outcomes=[AWAY, AWAY])) == [5, 10]


def test_a_job_that_becomes_idle_is_seen_at_once() -> None:
    assert Run(2, news=[3.0]).began[1] == pytest.approx(3.2, abs=2 * LOOK_EVERY_S)


def test_a_job_that_becomes_idle_during_a_round_gets_another_one() -> None:
    assert Run(2, news=[1.0], takes_s=2).began[1] == pytest.approx(2.2, abs=2 * LOOK_EVERY_S)


@given(
    news=st.lists(st.floats(0, 4), max_size=1000),
    takes_s=st.floats(0, 1),
)
def test_a_burst_makes_few_rounds_and_every_job_of_it_is_seen_soon(news: list[float], takes_s: float) -> None:
    run = Run(12, news=news, takes_s=takes_s)
    assert all(after - before >= PACE.least_s for before, after in zip(run.began, run.began[1:], strict=False))
    within_s = max(PACE.least_s, PACE.settle_s + takes_s) + 2 * LOOK_EVERY_S
    for moment in news:
        assert any(0 <= began - moment <= within_s for began in run.began)


def test_a_failure_that_lasts_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    Run(6, outcomes=[AWAY, Unavailable("there is no etcd"), AWAY, None, AWAY])
    warning = "this round was not finished, the next is tried soon"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [warning] * 2


def test_a_mistake_of_ours_is_logged_with_its_traceback_and_outlived(caplog: pytest.LogCaptureFixture) -> None:
    assert len(Run(2, outcomes=[KeyError("oops")]).began) == 2
    (error,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert error.exc_info
