"""How much of what it had asked for a job that has ended has used, and what its user may change. Pure.

Figures of tasks are the worker's, which is good enough for advice; what is charged is the access point's account.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from prominence.core import units
from prominence.core.report import TaskReport

_SHORTEST_S = 60.0
"""Of a shorter job nothing can be learnt."""
_LITTLE, _NEARLY_ALL = 0.5, 0.95
_SMALL_GB = 2.0
"""Less memory than this comes with any core."""


def efficiency(tasks: Sequence[TaskReport], cpus: int, memory_mib: int) -> dict[str, Any]:
    """Shares of cores and memory that were used, and a line of advice; what cannot be told is absent.

    cpus and memory_mib: what the job's slot had.
    """
    wall_s = sum(_seconds(task.wall_s) for task in tasks)
    if wall_s < _SHORTEST_S or cpus < 1 or memory_mib < 1:
        return {}
    told: dict[str, Any] = {}
    if all(task.cpu_s is not None for task in tasks):
        told["cpu"] = round(min(sum(_seconds(task.cpu_s) for task in tasks) / wall_s / cpus, 1.0), 3)
    peaks = [task.max_rss_kib for task in tasks if task.max_rss_kib is not None and task.max_rss_kib > 0]
    if peaks:
        told["memory"] = round(min(max(peaks) / 1024 / memory_mib, 1.0), 3)
    if advice := _advice(told, cpus, units.memory_gb(memory_mib)):
        told["advice"] = advice
    return told


def _advice(shares: dict[str, float], cpus: int, memory_gb: float) -> str:
    cpu, memory = shares.get("cpu"), shares.get("memory")
    of_memory = "" if memory is None else f"{memory * memory_gb:.2g} of its {memory_gb:.3g} GB of memory"
    if memory is not None and memory > _NEARLY_ALL:
        return f"It had up to {of_memory}: ask for more resources.memory, before it runs out."
    if cpu is not None and cpu < _LITTLE and cpus > 1:
        return f"On average it used {cpu * cpus:.1f} of its {cpus} cores: ask for fewer resources.cpus."
    if memory is not None and memory < _LITTLE and memory_gb >= _SMALL_GB:
        return f"It never had more than {of_memory}: ask for less resources.memory."
    return ""


def _seconds(value: float | None) -> float:
    return max(0.0, value) if value is not None and math.isfinite(value) else 0.0
