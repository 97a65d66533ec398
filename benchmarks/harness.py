"""Rows of the table: a figure of ours beside a baseline that was measured in the same run, in turn, pair by pair."""

from __future__ import annotations

import json
import platform
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True)
class Row:
    """One line. Figures are medians; ratio is the median of the pairs' ratios. goal: the largest ratio, if any."""

    name: str
    unit: str
    baseline: float | None
    ours: float
    ratio: float | None
    goal: float | None
    met: bool | None


def timed(act: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def in_pairs(
    name: str,
    baseline: Callable[[], object],
    ours: Callable[[], object],
    *,
    runs: int,
    goal: float | None = None,
    pause: tuple[float, float] = (0.0, 0.0),
) -> Row:
    """Time both in turn, after one warm-up each. pause: random seconds before each, so that no cycle is in phase."""
    pairs = []
    for number in range(runs + 1):
        pair = []
        for act in (baseline, ours):
            time.sleep(random.uniform(*pause))
            pair.append(timed(act))
        if number:
            pairs.append(pair)
    ratio = statistics.median(ours_s / baseline_s for baseline_s, ours_s in pairs)
    return Row(
        name=name,
        unit="s",
        baseline=round(statistics.median(pair[0] for pair in pairs), 3),
        ours=round(statistics.median(pair[1] for pair in pairs), 3),
        ratio=round(ratio, 2),
        goal=goal,
        met=None if goal is None else ratio <= goal,
    )


def figure(name: str, samples: list[float]) -> Row:
    """A median that has no baseline."""
    return Row(name, "s", None, round(statistics.median(samples), 3), None, None, None)


def publish(rows: list[Row]) -> None:
    """Print the table and write results.json; rows of other names that are there stay."""
    print(f"{'name':<34}{'unit':>6}{'baseline':>10}{'ours':>10}{'ratio':>8}{'goal':>7}  met")
    for row in rows:
        cells = [row.baseline, row.ours, row.ratio, row.goal]
        said = ["-" if cell is None else f"{cell:g}" for cell in cells]
        met = {None: "-", True: "yes", False: "NO"}[row.met]
        print(f"{row.name:<34}{row.unit:>6}{said[0]:>10}{said[1]:>10}{said[2]:>8}{said[3]:>7}  {met}")
    before = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    new = {row.name for row in rows}
    kept = [row for row in before if row["name"] not in new]
    document = {"machine": platform.platform(), "rows": sorted(kept + [asdict(r) for r in rows], key=_name)}
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


def _name(row: dict[str, object]) -> str:
    return str(row["name"])
