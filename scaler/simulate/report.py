"""Outcomes for people, as a table, and for programs, as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from prominence.core import units
from prominence.scaler.simulate.load import Load
from prominence.scaler.simulate.outcome import Outcome

_HEAD = ("strategy", "mean wait", "median", "95 %", "makespan", "cost", "/ bound", "cores used", "machines", "at once")
_MORE = (("not_run", "never ran"), ("killed", "killed with their machine"))


def heading(load: Load, seed: int, bound: float) -> str:
    """What was simulated, and how to do it again."""
    first = f"{load.name}: {len(load.jobs)} jobs, seed {seed}, whose work costs at least {bound:.2f}"
    return "\n".join([first, *load.notes])


def table(outcomes: Sequence[Outcome], bound: float) -> str:
    """A line for each strategy, and one for what should not be."""
    cells = [_HEAD, *(_cells(outcome, bound) for outcome in outcomes)]
    widths = [max(len(line[number]) for line in cells) for number in range(len(_HEAD))]
    lines = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in cells]
    for outcome in outcomes:
        lines += [
            f"{outcome.strategy}: {count} jobs {what}" for field, what in _MORE if (count := getattr(outcome, field))
        ]
    return "\n".join(lines)


def as_json(load: Load, seed: int, bound: float, outcomes: Sequence[Outcome]) -> str:
    """One object for each load."""
    rows = [{**asdict(outcome), "cost_to_bound": outcome.cost / bound if bound else None} for outcome in outcomes]
    return json.dumps({"load": load.name, "jobs": len(load.jobs), "seed": seed, "bound": bound, "strategies": rows})


def _cells(outcome: Outcome, bound: float) -> tuple[str, ...]:
    waits = (outcome.mean_wait_s, outcome.median_wait_s, outcome.p95_wait_s)
    return (
        outcome.strategy,
        *(f"{seconds:.0f} s" for seconds in waits),
        units.plainly(round(outcome.makespan_s)),
        f"{outcome.cost:.2f}",
        f"{outcome.cost / bound:.2f}" if bound else "-",
        f"{outcome.utilisation:.0%}",
        str(outcome.machines),
        str(outcome.most_machines),
    )
