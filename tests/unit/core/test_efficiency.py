"""What a job has used of what it had asked for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.efficiency import efficiency
from prominence.core.report import TaskReport

GIB = 1024 * 1024


def a_run(wall_s: float | None = 100.0, cpu_s: float | None = 100.0, peak_kib: int | None = GIB) -> TaskReport:
    return TaskReport("busybox:1", exit_code=0, wall_s=wall_s, cpu_s=cpu_s, max_rss_kib=peak_kib)


@pytest.mark.parametrize(
    ("cpus", "memory_mib", "run", "told"),
    [
        (1, 1500, a_run(), None),
        (4, 1500, a_run(), "On average it used 1.0 of its 4 cores: ask for fewer resources.cpus."),
        (2, 1500, a_run(cpu_s=199.0), None),
        (1, 8192, a_run(), "It never had more than 1 of its 8.19 GB of memory: ask for less resources.memory."),
        (
            1,
            1025,
            a_run(),
            "It had up to 1 of its 1.02 GB of memory: ask for more resources.memory, before it runs out.",
        ),
        (1, 1024, a_run(peak_kib=1000), None),
        (4, 1500, a_run(cpu_s=None), None),
    ],
)
def test_one_line_of_advice_at_most(cpus: int, memory_mib: int, run: TaskReport, told: str | None) -> None:
    assert efficiency([run], cpus, memory_mib).get("advice") == told


def test_all_tasks_count_by_their_time() -> None:
    found = efficiency([a_run(30.0, 30.0), a_run(90.0, 30.0, 2 * GIB)], 1, 4096)
    assert (found["cpu"], found["memory"]) == (0.5, 0.5)


def test_of_a_short_job_nothing_is_told() -> None:
    assert efficiency([a_run(59.0, 1.0)], 8, 9000) == {}
    assert efficiency([], 8, 9000) == {}


NUMBERS = st.none() | st.floats() | st.integers(-(2**70), 2**70)


@given(
    st.lists(st.builds(a_run, NUMBERS, NUMBERS, st.none() | st.integers(-(2**70), 2**70))), st.integers(), st.integers()
)
def test_whatever_a_worker_says_shares_are_shares(runs: list[TaskReport], cpus: int, memory_mib: int) -> None:
    found = efficiency(runs, cpus, memory_mib)
    assert all(math.isfinite(found[key]) and 0 <= found[key] <= 1 for key in ("cpu", "memory") if key in found)
    assert "nan" not in found.get("advice", "") and "inf" not in found.get("advice", "")
