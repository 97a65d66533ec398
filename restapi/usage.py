"""What is said of what jobs have used: a record for each of their attempts, and sums of these. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from fractions import Fraction
from typing import Any

from prominence.restapi.booking import Machine, Run, Used

_HOUR_MS = 3_600_000
_MICRO = 1_000_000
_DAY_S = 86_400
_MOST = 10**15  # of one attempt: sums stay within 64 bits


@dataclass(frozen=True)
class UsageRecord:
    """Of one attempt. machine: None where it is not known what the worker was.

    units_ms: service units times milliseconds. cost: in millionths of the site's currency. Whole numbers, so that sums
    are exact.
    """

    run: Run
    used: Used
    machine: Machine | None = None
    units_ms: int = 0
    cost: int = 0

    @property
    def jobs(self) -> int:
        """1 for the last attempt of a job, once that has left the queue."""
        return int(self.run.has_left and not self.run.is_part)


@dataclass(frozen=True)
class Tariff:
    """How many service units an hour of what a job has is worth. summed: all of it counts, not just what counts most.

    factor: of the whole pool.
    """

    core: float = 1.0
    memory_gib: float = 0.25
    gpu: float = 8.0
    summed: bool = False
    factor: float = 1.0

    def units_ms(self, run: Run, used: Used) -> int:
        """Of an attempt."""
        return self.worth_ms(used.core_ms, used.wall_ms, run.memory_mib, run.gpus)

    def worth_ms(self, core_ms: int, wall_ms: int, memory_mib: int, gpus: int) -> int:
        """Of so much for so long."""
        parts = (
            self.core * core_ms,
            self.memory_gib * memory_mib * wall_ms / 1024,
            self.gpu * gpus * wall_ms,
        )
        return min(round(self.factor * (sum(parts) if self.summed else max(parts))), _MOST)


DEFAULT_TARIFF = Tariff()


def priced(
    run: Run, used: Used, machine: Machine | None, tariff: Tariff, before: UsageRecord | None = None
) -> UsageRecord:
    """What an attempt is worth, and what its share of the machine has cost. before: as it is booked by now."""
    cost = 0 if machine is None else min(machine.cost_of(run, used), _MOST)
    return UsageRecord(run, used, machine, _units_ms(run, used, tariff, before), cost)


def _units_ms(run: Run, used: Used, tariff: Tariff, before: UsageRecord | None) -> int:
    """What was booked by another tariff stays worth as much an hour as it was then."""
    if before is None or before.units_ms == tariff.units_ms(before.run, before.used):
        return tariff.units_ms(run, used)
    if not before.used.wall_ms:
        return before.units_ms
    return min(round(Fraction(before.units_ms * used.wall_ms, before.used.wall_ms)), _MOST)


@dataclass(frozen=True)
class Period:
    """From the one epoch until before the other."""

    since: int
    until: int

    @classmethod
    def of_days(cls, first: date, last: date) -> Period:
        """From the beginning of the one day to the end of the other, in UTC."""
        return cls(_midnight(first), _midnight(last) + _DAY_S)


@dataclass(frozen=True)
class Sum:
    """Of the attempts that ended within some time. jobs: those that have left the queue with one of them."""

    jobs: int = 0
    core_ms: int = 0
    cpu_ms: int = 0
    attempts: int = 0
    wall_ms: int = 0
    units_ms: int = 0
    cost: int = 0

    def __add__(self, other: Sum) -> Sum:
        return Sum(*(mine + yours for mine, yours in zip(astuple(self), astuple(other), strict=True)))

    def shown(self) -> dict[str, Any]:
        """As the API writes it, in hours."""
        return {"cpuTime": _hours(self.cpu_ms), "wallTime": _hours(self.core_ms), "numberOfJobs": self.jobs}

    def shown_in_full(self) -> dict[str, Any]:
        """The same with what it was worth, in hours and in the site's currency."""
        return {
            "jobs": self.jobs,
            "attempts": self.attempts,
            "wallHours": _hours(self.wall_ms),
            "coreHours": _hours(self.core_ms),
            "cpuHours": _hours(self.cpu_ms),
            "serviceUnits": _hours(self.units_ms),
            "cost": self.cost / _MICRO,
        }


class Key(StrEnum):
    """By what usage can be told apart."""

    USER = "user"
    GROUP = "group"
    LABEL = "label"
    WORKFLOW = "workflow"
    CLOUD = "cloud"
    REGION = "region"
    FLAVOUR = "flavour"
    OUTCOME = "outcome"
    BLAME = "blame"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True)
class By:
    """label: which one, for Key.LABEL."""

    key: Key
    label: str = ""

    def __str__(self) -> str:
        return f"{self.key}:{self.label}" if self.key is Key.LABEL else self.key.value

    def of(self, record: UsageRecord) -> str:
        """What a record is summed under; "" where it has no such thing."""
        if self.key is Key.LABEL:
            wanted = self.label.lower()  # HTCondor's names are alike in both
            return next((value for label, value in record.run.labels.items() if label.lower() == wanted), "")
        return _NAMES[self.key](record)


@dataclass(frozen=True)
class Whose:
    """What is charged to these groups, and all that this user has used; None for everybody's."""

    user: str = ""
    groups: frozenset[str] | None = field(default_factory=frozenset)

    def includes(self, record: UsageRecord) -> bool:
        """Whether it is theirs."""
        run = record.run
        return self.groups is None or (self.user != "" and run.user == self.user) or run.group in self.groups - {""}


def total(records: Iterable[UsageRecord]) -> Sum:
    """Of all of these."""
    found = list(records)
    return Sum(
        jobs=sum(one.jobs for one in found),
        core_ms=sum(one.used.core_ms for one in found),
        cpu_ms=sum(one.used.cpu_ms for one in found),
        attempts=len(found),
        wall_ms=sum(one.used.wall_ms for one in found),
        units_ms=sum(one.units_ms for one in found),
        cost=sum(one.cost for one in found),
    )


def _midnight(day: date) -> int:
    return (day - date(1970, 1, 1)).days * _DAY_S


def _day(record: UsageRecord) -> str:
    return datetime.fromtimestamp(record.run.ended, UTC).date().isoformat()


_NAMES: dict[Key, Callable[[UsageRecord], str]] = {
    Key.USER: lambda record: record.run.user,
    Key.GROUP: lambda record: record.run.group,
    Key.OUTCOME: lambda record: record.run.outcome,
    Key.BLAME: lambda record: record.run.blame,
    Key.WORKFLOW: lambda record: "" if record.run.workflow is None else str(record.run.workflow),
    Key.CLOUD: lambda record: record.machine.cloud if record.machine else "",
    Key.REGION: lambda record: record.machine.region if record.machine else "",
    Key.FLAVOUR: lambda record: record.machine.flavour if record.machine else "",
    Key.DAY: _day,
    Key.MONTH: lambda record: _day(record)[:7],
}


def _hours(milliseconds: int) -> float:
    return milliseconds / _HOUR_MS
