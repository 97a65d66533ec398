"""What is told of a running task, and when nothing is."""

from __future__ import annotations

from dataclasses import dataclass, field

from builders_executor import Clock, PretendedRuntime

from prominence.core.report import LIVE_AT, LIVE_CPU_MS, LIVE_CPUS, LIVE_DISK, LIVE_MEMORY
from prominence.executor.live import FIRST_S, Gauge
from prominence.executor.ports import RuntimeFailed, Used


@dataclass
class Ad:
    """The job's, in memory."""

    allows: bool = True
    attributes: dict[str, int] = field(default_factory=dict)
    told: int = 0

    def note(self, name: str, value: int) -> bool:
        self.attributes[name] = value
        self.told += name == LIVE_AT
        return self.allows


def a_gauge(ad: Ad, clock: Clock, *runtimes: PretendedRuntime) -> Gauge:
    return Gauge(ad, runtimes, 30, clock, lambda: 7000.9)


def test_a_task_is_told_of_soon_and_then_now_and_then() -> None:
    ad, clock, runtime = Ad(), Clock(), PretendedRuntime(using=Used(1.5, 2000, 300))
    gauge = a_gauge(ad, clock, PretendedRuntime("docker"), runtime)
    gauge.turn()
    assert ad.attributes == {}
    clock.advance(FIRST_S)
    gauge.turn()
    assert ad.attributes == {LIVE_CPU_MS: 1500, LIVE_MEMORY: 2000, LIVE_DISK: 300, LIVE_AT: 7000}
    runtime.using = Used(31.5, 5000, None)
    clock.advance(20)
    gauge.turn()
    assert ad.told == 1
    clock.advance(10)
    gauge.turn()
    assert (ad.told, ad.attributes[LIVE_CPUS], ad.attributes[LIVE_MEMORY]) == (2, 1000, 5000)


def test_what_has_hardly_changed_is_not_told_again() -> None:
    ad, clock, runtime = Ad(), Clock(), PretendedRuntime(using=Used(100.0, 100_000, 0))
    gauge = a_gauge(ad, clock, runtime)
    for cpu_s, memory_kib, told in ((100.0, 100_000, 1), (100.0, 100_000, 2), (100.1, 100_500, 2), (103, 100_500, 3)):
        runtime.using = Used(cpu_s, memory_kib, 0)
        clock.advance(30)
        gauge.turn()
        assert ad.told == told, "the second look is the first that tells of processors at a time"


def test_another_task_begins_to_count_anew() -> None:
    ad, clock, runtime = Ad(), Clock(), PretendedRuntime(using=Used(100.0))
    gauge = a_gauge(ad, clock, runtime)
    for used in (Used(100.0), Used(1.0)):
        runtime.using = used
        clock.advance(30)
        gauge.turn()
    assert ad.attributes == {LIVE_CPU_MS: 1000, LIVE_AT: 7000}


def test_between_tasks_and_where_a_runtime_fails_nothing_is_told() -> None:
    ad, clock = Ad(), Clock()
    failing = PretendedRuntime(using=RuntimeFailed("it does not answer"))
    for runtime in (PretendedRuntime(), failing):
        gauge = a_gauge(ad, clock, runtime)
        clock.advance(30)
        gauge.turn()
    assert ad.told == 0


def test_a_pool_that_does_not_want_it_is_not_asked_again() -> None:
    ad, clock = Ad(allows=False), Clock()
    gauge = a_gauge(ad, clock, PretendedRuntime(using=Used(1.0)))
    for _ in range(3):
        clock.advance(30)
        gauge.turn()
    assert len(ad.attributes) == 1
