"""Registries that do not answer are asked again, with longer and longer pauses; whatever else they say is final."""

from __future__ import annotations

import pytest
from builders_executor import AWAY, Clock, PretendedRuntime

from prominence.core.plan import PATIENCE_S
from prominence.core.reasons import Reason
from prominence.executor import fetching
from prominence.executor.ports import FetchFailed, Interrupted, Stop

IMAGE = "busybox:1"


def away(name: str = "docker", says: str = AWAY) -> PretendedRuntime:
    return PretendedRuntime(name, fetching={IMAGE: says})


class Bench:
    """Time that passes as it is waited for."""

    def __init__(self, limit_s: float | None = None) -> None:
        self.clock, self.stop = Clock(), Stop()
        self.patience = fetching.Patience(limit_s, self.stop, PATIENCE_S, self.clock, self.clock.advance)
        self._began = self.clock()

    def fetch(self, *runtimes: PretendedRuntime) -> PretendedRuntime:
        return fetching.fetch(IMAGE, None, runtimes, self.patience)  # type: ignore[return-value]  # one of them

    @property
    def waited_s(self) -> float:
        return self.clock() - self._began


def test_a_registry_that_comes_back_is_waited_for() -> None:
    bench, runtime = Bench(), away()
    runtime.on_fetch = lambda: runtime.fetching.pop(IMAGE) if bench.waited_s > 60 else None  # type: ignore[attr-defined]
    assert bench.fetch(runtime) is runtime
    assert len(runtime.given_s) == 6, "after 0, 2, 6, 14, 30 and 62 s"


def test_one_that_does_not_is_given_up_after_some_minutes_and_the_reason_says_so() -> None:
    bench = Bench()
    with pytest.raises(FetchFailed, match=AWAY) as failure:
        bench.fetch(away())
    assert failure.value.reason is Reason.IMAGE_UNAVAILABLE
    assert 500 < bench.waited_s <= PATIENCE_S


def test_nobody_waits_beyond_the_limit() -> None:
    bench, runtime = Bench(limit_s=10), away()
    with pytest.raises(FetchFailed, match=AWAY):
        bench.fetch(runtime)
    assert bench.waited_s < 10
    assert runtime.given_s == [10, 8, 4]


def test_who_is_told_to_stop_waits_no_more() -> None:
    bench, runtime = Bench(), away()
    runtime.on_fetch = lambda: bench.stop.request() if runtime.given_s else None
    with pytest.raises(Interrupted):
        bench.fetch(runtime)


def test_what_one_runtime_knows_for_certain_is_not_tried_again() -> None:
    bench = Bench()
    with pytest.raises(FetchFailed, match="apptainer: nobody answers; docker: no such image") as failure:
        bench.fetch(away("apptainer"), away("docker", "no such image"))
    assert (failure.value.reason, bench.waited_s) == (Reason.IMAGE_PULL_FAILED, 0)


def test_another_runtime_may_get_it_meanwhile() -> None:
    other = PretendedRuntime("docker")
    assert Bench().fetch(away("apptainer"), other) is other
