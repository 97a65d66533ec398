"""A machine of the pretended world, from the request to its end, and how the scaler sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from prominence.core.machines import Flavour, Size, Wish, Worker, WorkerPhase, WorkerRequest
from prominence.core.snapshot import ExecutePoint
from prominence.scaler.dear import is_hardly_used
from prominence.scaler.simulate.load import Cloud, Job

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
"""Second 0 of every load: a Monday, at midnight."""

_HEARD_S = 60.0
"""What is told of a machine is at most so old."""

_SETTLES_S = 120.0

_JOINED = (WorkerPhase.REGISTERED, WorkerPhase.DRAINING, WorkerPhase.DRAINED)

Amounts = tuple[int, int, int, int]
"""Cores, memory, disk, GPUs: a Size that is quick to reckon with."""


def moment(now_s: float) -> datetime:
    """As the scaler reads the clock."""
    return BEGIN + timedelta(seconds=now_s)


def amounts(size: Size) -> Amounts:
    """At least one core, as a slot has."""
    return max(1, size.cpus), size.memory_mib, size.disk_mib, size.gpus


@dataclass(eq=False)
class Run:
    """An attempt of a job, on the machine of each of its nodes."""

    job: Job
    machines: tuple[Machine, ...]
    started_s: float
    is_over: bool = False


@dataclass(eq=False)
class Machine:
    """launched_s, gone_s: from when until when it is paid. offers: what its startd shows of it."""

    name: str
    cloud: Cloud
    flavour: Flavour
    request: WorkerRequest
    requested_s: float
    offers: Size
    phase: WorkerPhase = WorkerPhase.REQUESTED
    since_s: float = 0.0
    reason: str = ""
    launched_s: float | None = None
    gone_s: float | None = None
    idle_since_s: float = 0.0
    hardly_used_since_s: float | None = None
    runs: dict[Run, int] = field(default_factory=dict)
    free: list[int] = field(default_factory=list)
    _worker: Worker | None = None
    _point: ExecutePoint | None = None
    _told_s: float = 0.0

    def __post_init__(self) -> None:
        self.free = list(amounts(self.offers))

    @property
    def has_joined(self) -> bool:
        return self.phase in _JOINED

    @property
    def is_idle(self) -> bool:
        return self.has_joined and not self.runs

    def is_settling(self, now_s: float) -> bool:
        """It does nothing, or has not been hardly used for long: something may be done about it because it is later."""
        since_s = self.hardly_used_since_s
        return self.is_idle or (since_s is not None and now_s - since_s < _SETTLES_S)

    @property
    def takes_jobs(self) -> bool:
        return self.phase is WorkerPhase.REGISTERED and self.request.wish is Wish.PRESENT

    @property
    def rank(self) -> tuple[int, int, int, str]:
        """The fullest first, as our negotiator is configured."""
        return self.free[3], self.free[0], self.free[1], self.name

    def copies(self, needed: Amounts) -> int:
        """How many of this size fit into what is free."""
        return min(there // wanted for wanted, there in zip(needed, self.free, strict=True) if wanted)

    def holds(self, needed: Amounts) -> bool:
        free = self.free
        return needed[0] <= free[0] and needed[1] <= free[1] and needed[2] <= free[2] and needed[3] <= free[3]

    def take(self, run: Run, needed: Amounts) -> None:
        """One node of the job starts here."""
        self.runs[run] = self.runs.get(run, 0) + 1
        self._change(needed, -1)

    def release(self, run: Run, needed: Amounts, now_s: float) -> None:
        """All its nodes have ended here."""
        self._change(needed, self.runs.pop(run))
        if not self.runs:
            self.idle_since_s = now_s

    def enter(self, phase: WorkerPhase, now_s: float, reason: str = "") -> None:
        self.phase, self.since_s, self.reason = phase, now_s, reason
        self.changed()

    def wish(self, wish: Wish, reason: str) -> None:
        self.request = self.request.model_copy(update={"wish": wish, "reason": reason})
        self.changed()

    def changed(self) -> None:
        """What was told of it is no longer true."""
        self._worker = self._point = None

    def cost(self, until_s: float) -> float:
        """What is to be paid for it."""
        return self.flavour.price * self.paid_s(until_s) / 3600

    def paid_s(self, until_s: float) -> float:
        """For how long."""
        if self.launched_s is None:
            return 0.0
        return (until_s if self.gone_s is None else self.gone_s) - self.launched_s

    def worker(self) -> Worker:
        """As imc tells of it."""
        if self._worker is None:
            self._worker = Worker.model_construct(
                name=self.name,
                request=self.request,
                requested_at=moment(self.requested_s),
                phase=self.phase,
                phase_since=moment(self.since_s),
                flavour=self.flavour if self.launched_s is not None else None,
                reason=self.reason,
                attempts=1,
            )
        return self._worker

    def point(self, now_s: float) -> ExecutePoint:
        """As the collector tells of it."""
        if self._point is None or now_s - self._told_s > _HEARD_S:
            self._told_s = now_s
            cpus, memory, disk, gpus = self.free
            self._point = ExecutePoint.model_construct(
                name=self.name,
                cloud=self.flavour.cloud,
                region=self.flavour.region,
                total=self.offers,
                free=Size.model_construct(cpus=cpus, memory_mib=memory, disk_mib=disk, gpus=gpus),
                claimed_slots=sum(self.runs.values()),
                draining=not self.takes_jobs,
                idle_since=None if self.runs else moment(self.idle_since_s),
                last_heard_at=moment(now_s),
            )
            self.hardly_used_since_s = (self.hardly_used_since_s or now_s) if is_hardly_used(self._point) else None
            if self.hardly_used_since_s:
                self._point = self._point.but(hardly_used_since=moment(self.hardly_used_since_s))
        return self._point

    def _change(self, needed: Amounts, times: int) -> None:
        for number, amount in enumerate(needed):
            self.free[number] += times * amount
        self._point = None
