"""What a container uses: read from the engine's statistics of either version of cgroups."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from prominence.executor import usage
from prominence.executor.usage import Meter, Usage, parse

MIB = 1024 * 1024


def stats(cpu_ns: int = 1_500_000_000, **memory: Any) -> dict[str, Any]:
    return {"cpu_stats": {"cpu_usage": {"total_usage": cpu_ns}}, "memory_stats": memory}


def version_1(rss: int, cache: int, mapped: int, most: int) -> dict[str, Any]:
    known = {"total_rss": rss * MIB, "total_cache": cache * MIB, "total_mapped_file": mapped * MIB, "rss": 0}
    return stats(max_usage=most * MIB, usage=0, stats=known)


@pytest.mark.parametrize(
    ("said", "resident_mib", "peak_mib"),
    [
        (version_1(rss=30, cache=0, mapped=0, most=30), 30, 30),
        (version_1(rss=30, cache=5, mapped=5, most=80), 35, 80),
        (version_1(rss=1, cache=70, mapped=0, most=71), 1, 1),  # what it has read is cached, and needed by nobody
        (version_1(rss=50, cache=900, mapped=0, most=60), 50, 50),
        (stats(usage=0, stats={"anon": 30 * MIB, "file": 9 * MIB, "file_mapped": 2 * MIB}), 32, 32),
    ],
)
def test_memory_is_what_is_resident_without_what_is_only_cached(
    said: dict[str, Any], resident_mib: int, peak_mib: int
) -> None:
    assert parse(said) == Usage(1.5, resident_mib * 1024, peak_mib * 1024)


@pytest.mark.parametrize("said", [{}, stats(0, stats={"anon": 1}), stats(stats={}), stats(), {"cpu_stats": None}])
def test_of_a_container_that_has_ended_there_is_nothing(said: dict[str, Any]) -> None:
    assert parse(said) is None


def test_the_most_is_kept_and_when_nothing_can_be_seen_any_more_the_last_is_good() -> None:
    seen: list[Usage | None] = [Usage(1, 500, 700), Usage(2, 300, 300), None]
    meter = Meter(lambda: seen.pop(0))
    assert meter.last is None
    assert [meter.now() for _ in range(3)] == [Usage(1, 500, 700), Usage(2, 300, 700), Usage(2, 300, 700)]


def test_it_looks_by_itself_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "FIRST_LOOK_S", 0.001)
    looked = threading.Event()

    def look() -> Usage:
        looked.set()
        return Usage(1, 2, 3)

    meter = Meter(look)
    meter.start()
    assert looked.wait(5)
    meter.stop()
    assert meter.now() == Usage(1, 2, 3)
