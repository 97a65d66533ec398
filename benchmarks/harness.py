"""Rows of the table: a figure of ours beside a baseline that was measured in the same run, in turn, pair by pair."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Seconds = Callable[[], float]
"""Does something once, and tells how long it took by its own clock."""


@dataclass(frozen=True)
class Goal:
    """What a figure may be at most.

    ratio: so many times the baseline. more: or so much more than the baseline, if that is more. figure: where there is
    no baseline.
    """

    ratio: float | None = None
    more: float | None = None
    figure: float | None = None

    def limit(self, baseline: float | None) -> float:
        """The largest ratio to this baseline; without a baseline the largest figure."""
        if baseline is None:
            assert self.figure is not None
            return self.figure
        ratios = [] if self.ratio is None else [self.ratio]
        return max([*ratios, *([] if self.more is None else [1 + self.more / baseline])])


@dataclass(frozen=True)
class Row:
    """One line: medians of the runs.

    ratio: the median of the pairs' ratios; least, most: the extremes of the ratios, or of the figures where there is no
    baseline. goal: the largest ratio, or the largest figure where there is no baseline.
    """

    name: str
    unit: str
    baseline: float | None
    ours: float
    ratio: float | None
    goal: float | None
    met: bool | None
    runs: int
    least: float
    most: float


def in_pairs(name: str, pairs: Sequence[tuple[float, float]], goal: Goal | None = None, unit: str = "s") -> Row:
    """A row from pairs of seconds, or of what the unit says: the baseline's, ours."""
    baseline = statistics.median(pair[0] for pair in pairs)
    ratios = [ours / base for base, ours in pairs]
    ratio = statistics.median(ratios)
    limit = None if goal is None else goal.limit(baseline)
    return Row(
        name=name,
        unit=unit,
        baseline=round(baseline, 3),
        ours=round(statistics.median(pair[1] for pair in pairs), 3),
        ratio=round(ratio, 3),
        goal=None if limit is None else round(limit, 3),
        met=None if limit is None else ratio <= limit,
        runs=len(pairs),
        least=round(min(ratios), 3),
        most=round(max(ratios), 3),
    )


def figure(name: str, samples: Sequence[float], goal: Goal | None = None) -> Row:
    """A row that has no baseline."""
    ours = statistics.median(samples)
    limit = None if goal is None else goal.limit(None)
    return Row(
        name=name,
        unit="s",
        baseline=None,
        ours=round(ours, 3),
        ratio=None,
        goal=limit,
        met=None if limit is None else ours <= limit,
        runs=len(samples),
        least=round(min(samples), 3),
        most=round(max(samples), 3),
    )


def grown(name: str, before_kib: int, after_kib: int, most_mib: float, runs: int) -> Row:
    """A row of how much memory a process has taken in so many runs. least, most: what it had before and after."""
    before, after = before_kib / 1024, after_kib / 1024
    return Row(
        name=name,
        unit="MiB",
        baseline=None,
        ours=round(after - before, 1),
        ratio=None,
        goal=most_mib,
        met=after - before <= most_mib,
        runs=runs,
        least=round(before, 1),
        most=round(after, 1),
    )


def measured_in_pairs(
    baseline: Seconds, ours: Seconds, runs: int, pause: tuple[float, float] = (0.0, 0.0)
) -> list[tuple[float, float]]:
    """Pairs of seconds, after one that does not count.

    Who is first changes by chance. pause: seconds before each, by chance, so that nothing is in step with a cycle.
    """
    pairs = []
    for _ in range(runs + 1):
        took = {}
        for act in random.sample([baseline, ours], 2):
            time.sleep(random.uniform(*pause))
            took[act] = act()
        pairs.append((took[baseline], took[ours]))
    return pairs[1:]


def chosen(only: str | None, names: Iterable[str]) -> list[str]:
    """The measurements that a name asks for: one of them, what it is part of, or a row that it gives."""
    if only is None:
        return list(names)
    return [name for name in names if _is_part(name, only) or _is_part(only, name)]


def _is_part(name: str, whole: str) -> bool:
    return name == whole or name.startswith(f"{whole}.")
