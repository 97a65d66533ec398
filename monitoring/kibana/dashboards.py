"""What operators see of usage in Kibana: its dashboards and their panels, described.

docs/elasticsearch.md says what the fields are. After a change: `python3 -m monitoring.kibana write`.
"""

from __future__ import annotations

from dataclasses import dataclass

TIME = "RecordTime"


@dataclass(frozen=True)
class Metric:
    """What is reckoned of a field: its sum, its avg, its percentiles; or the count of documents."""

    of: str
    field: str = ""
    label: str = ""


@dataclass(frozen=True)
class Over:
    """By what it is told apart: a field's most (so many, by the first metric), steps of its value, or time."""

    field: str
    most: int = 0
    step: float = 0


@dataclass(frozen=True)
class Panel:
    """kind: table, bars (stacked, of the last of `over`), lines or pie. only: a field that must have this value."""

    title: str
    kind: str
    metrics: tuple[Metric, ...]
    over: tuple[Over, ...]
    only: tuple[str, str] | None = None
    wide: bool = False


def _sum(name: str, label: str) -> Metric:
    return Metric("sum", f"Prominence{name}", label)


def _by(name: str, most: int = 20) -> Over:
    return Over(f"Prominence{name}", most)


JOBS, ATTEMPTS = _sum("Jobs", "Jobs"), Metric("count", label="Attempts")
CORES, CPU, UNITS = _sum("CoreMs", "Core hours"), _sum("CpuMs", "CPU hours"), _sum("UnitsMs", "Service unit hours")
COST = _sum("Cost", "Cost")
WAIT = Metric("avg", "ProminenceWaitMs", "Mean wait")
WAITS = Metric("percentiles", "ProminenceWaitMs", "Wait")
EFFICIENCY = Metric("avg", "ProminenceEfficiency", "Mean efficiency of attempts")
DAYS = Over(TIME)
LAST = ("ProminenceJobs", "1")
"""The last attempts of jobs that have left the queue: one for each job."""

ALL = (JOBS, ATTEMPTS, CORES, CPU, UNITS, COST)
DASHBOARDS = {
    "Usage": (
        Panel("Core hours by group and time", "bars", (CORES,), (DAYS, _by("Group", 10)), wide=True),
        Panel("Usage by group", "table", ALL, (_by("Group", 100),)),
        Panel("Usage by user", "table", ALL, (_by("User", 100),)),
        Panel("Core hours by cloud", "pie", (CORES,), (_by("Cloud"),)),
        Panel("Usage by cloud and flavour", "table", ALL, (_by("Cloud"), _by("Flavour"))),
    ),
    "Wait and success": (
        Panel("Jobs by outcome and time", "bars", (JOBS,), (DAYS, _by("Outcome")), LAST, wide=True),
        Panel("Jobs by group and outcome", "table", (JOBS,), (_by("Group", 50), _by("Outcome")), LAST),
        Panel("Jobs by outcome and who must do something", "pie", (JOBS,), (_by("Outcome"), _by("Blame")), LAST),
        Panel("Attempts by cloud and blame", "table", (ATTEMPTS,), (_by("Cloud"), _by("Outcome"), _by("Blame"))),
        Panel("Wait for the first start: half of the jobs, 95 %", "lines", (WAITS,), (DAYS,)),
        Panel("Mean wait by group", "table", (WAIT, JOBS), (_by("Group", 50),)),
    ),
    "Cost": (
        Panel("Cost by group and time", "bars", (COST,), (DAYS, _by("Group", 10)), wide=True),
        Panel("Cost by group", "table", (COST, UNITS, CORES, JOBS), (_by("Group", 100),)),
        Panel("Cost by user", "table", (COST, UNITS, CORES, JOBS), (_by("User", 100),)),
        Panel("Cost by cloud", "pie", (COST,), (_by("Cloud"),)),
        Panel("Cost by outcome and blame", "table", (COST, CORES), (_by("Outcome"), _by("Blame"))),
    ),
    "Efficiency": (
        Panel("Mean efficiency over time", "lines", (EFFICIENCY,), (DAYS,), wide=True),
        Panel("Attempts by efficiency", "bars", (ATTEMPTS,), (Over("ProminenceEfficiency", step=0.1),)),
        Panel("Efficiency by user", "table", (CORES, CPU, EFFICIENCY), (_by("User", 100),)),
        Panel("Efficiency by group", "table", (CORES, CPU, EFFICIENCY), (_by("Group", 100),)),
        Panel("Efficiency by cloud and flavour", "table", (CORES, CPU, EFFICIENCY), (_by("Cloud"), _by("Flavour"))),
    ),
}
