"""What is left of a group's budget, and which of its jobs that leaves room for. Pure.

All figures are whole numbers: service units times milliseconds, as usage is booked, so that sums are exact. A job in
the queue has what it may still use reserved for it, until what it has used is booked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from fractions import Fraction

from prominence.core import classads
from prominence.core.jobid import JobId
from prominence.core.states import HELD_FOR_BUDGET, HoldCode, JobStatus
from prominence.core.verdict import JobAd, number
from prominence.core.workflow_view import progress
from prominence.restapi.usage import Period, Tariff

UNIT_MS = 3_600_000
"""A service unit is worth an hour."""

ALERTS = (50, 80, 90, 100)
"""Per cent of a budget, of which somebody is told when they are used up."""


def in_ms(units: float) -> int:
    """Service units as they are written, exactly."""
    return round(Fraction(str(units)) * UNIT_MS)


def shown(units_ms: int) -> str:
    """For people."""
    return f"{units_ms / UNIT_MS:.6g}"


class Action(StrEnum):
    """What is done when a budget is used up. Each does what those before it do."""

    WARN = "warn"  # tell
    REFUSE = "refuse"  # take no new jobs
    HOLD = "hold"  # let no more jobs start


@dataclass(frozen=True)
class Budget:
    """Of one group. addresses: who is told when it is used up, or nearly."""

    group: str
    units_ms: int
    period: Period
    action: Action
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Standing:
    """How it is with a budget. used: booked. reserved: for jobs in the queue. is_over: its time is."""

    budget: Budget
    adjusted_ms: int = 0
    used_ms: int = 0
    reserved_ms: int = 0
    is_over: bool = False

    @property
    def limit_ms(self) -> int:
        """What the group may use in all."""
        return max(0, self.budget.units_ms + self.adjusted_ms)

    @property
    def room_ms(self) -> int:
        """For jobs that are in the queue; below 0 where more was used than there was."""
        return min(0, self.limit_ms - self.used_ms) if self.is_over else self.limit_ms - self.used_ms

    @property
    def left_ms(self) -> int:
        """For new jobs."""
        return self.room_ms - self.reserved_ms

    def takes(self, needed_ms: int) -> bool:
        """Whether a new job that may use so much is taken."""
        return self.budget.action is Action.WARN or needed_ms <= self.left_ms

    @property
    def reached(self) -> int:
        """The highest of ALERTS that has been reached; 0 for none."""
        return max((one for one in ALERTS if 100 * self.used_ms >= one * self.limit_ms), default=0)


class State(Enum):
    """Of a job in the queue, as far as it matters here."""

    RUNNING = "running"
    IDLE = "idle"
    HELD_FOR_BUDGET = "held for the budget"
    HELD = "held by somebody"


@dataclass(frozen=True)
class Reservation:
    """What a job in the queue may use."""

    job: JobId
    state: State
    units_ms: int


@dataclass(frozen=True)
class Decision:
    """Which jobs to hold, and which to release, the oldest first."""

    hold: tuple[JobId, ...] = ()
    release: tuple[JobId, ...] = ()


@dataclass(frozen=True)
class Reckoning:
    """By what it is reckoned how much a job may use. expected_s: longer than that none is expected to run, whatever its
    walltime is; None: as long as its walltime.
    """

    tariff: Tariff = Tariff()
    expected_s: int | None = None

    def units_ms(self, cpus: int, memory_mib: int, gpus: int, walltime_s: int) -> int:
        """Of a job, or one of its nodes, that asks for so much."""
        wall_ms = 1000 * (walltime_s if self.expected_s is None else min(walltime_s, self.expected_s))
        return self.tariff.worth_ms(cpus * wall_ms, wall_ms, memory_mib, gpus)


def in_force(budgets: Iterable[Budget], group: str, now: float) -> Budget | None:
    """The group's budget: the last one that has begun, also when it is over. None: nothing limits the group."""
    begun = [one for one in budgets if one.group == group and one.period.since <= now]
    return max(begun, key=lambda one: one.period.since, default=None)


def decide(standing: Standing, jobs: Iterable[Reservation]) -> Decision:
    """Which of the group's jobs may start. Those that run go on; of the others the oldest that there is room for may.

    A job for which there is none keeps back all that came later: otherwise small ones would overtake it for ever.
    """
    seen = sorted(jobs, key=lambda one: (one.job.cluster, one.job.index or 0))
    startable = [one for one in seen if one.state in (State.IDLE, State.HELD_FOR_BUDGET)]
    may: Sequence[Reservation] = startable
    if standing.budget.action is Action.HOLD:
        may = _that_fit(startable, standing.room_ms - _sum(one for one in seen if one.state is State.RUNNING))
    return Decision(
        hold=tuple(one.job for one in startable[len(may) :] if one.state is State.IDLE),
        release=tuple(one.job for one in may if one.state is State.HELD_FOR_BUDGET),
    )


def _that_fit(jobs: Sequence[Reservation], room_ms: int) -> Sequence[Reservation]:
    for place, one in enumerate(jobs):
        room_ms -= one.units_ms
        if room_ms < 0:
            return jobs[:place]
    return jobs


def reserved_ms(jobs: Iterable[Reservation], workflows: Iterable[JobAd] = ()) -> int:
    """For all of them, and for what these workflows have yet to put into the queue."""
    return _sum(jobs) + sum(map(_to_come_ms, workflows))


def reservations(ads: Iterable[JobAd], reckoning: Reckoning) -> list[Reservation]:
    """Of the jobs in the queue that may still use something. The nodes of a job are told together."""
    found: dict[JobId, Reservation] = {}
    for ad in ads:
        state = _state(ad)
        if state is None:
            continue
        job = JobId(int(ad[classads.CLUSTER_ID])) if classads.NODE in ad else JobId.of(ad)
        units_ms = reckoning.units_ms(
            max(_count(ad, classads.REQUEST_CPUS), _given(ad, state)),
            _count(ad, classads.REQUEST_MEMORY),
            _count(ad, classads.REQUEST_GPUS),
            _count(ad, classads.WALLTIME),
        )
        before = found.get(job)
        if before is not None:
            state = min(state, before.state, key=list(State).index)
            units_ms += before.units_ms
        found[job] = Reservation(job, state, units_ms)
    return list(found.values())


def _sum(jobs: Iterable[Reservation]) -> int:
    return sum(one.units_ms for one in jobs)


def _to_come_ms(ad: JobAd) -> int:
    counts = progress(ad)
    return -(-_count(ad, classads.EXPECTED) * counts["waiting"] // max(1, counts["total"]))


def _state(ad: JobAd) -> State | None:
    """None for a job that has ended."""
    match ad.get(classads.JOB_STATUS):
        case JobStatus.IDLE:
            return State.IDLE
        case JobStatus.RUNNING | JobStatus.TRANSFERRING_OUTPUT | JobStatus.SUSPENDED:
            return State.RUNNING
        case JobStatus.HELD if ad.get(classads.HOLD_REASON_CODE) == HoldCode.BY_HAND:
            by_us = ad.get(classads.HOLD_REASON_SUBCODE) == HELD_FOR_BUDGET
            return State.HELD_FOR_BUDGET if by_us else State.HELD
    return None


def _given(ad: JobAd, state: State) -> int:
    """The cores that a running job has: it may have asked for any number within a range."""
    return _count(ad, classads.CPUS_PROVISIONED) if state is State.RUNNING else 0


def _count(ad: JobAd, name: str) -> int:
    return max(0, number(ad, name) or 0)
