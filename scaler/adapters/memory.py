"""A pretend pool: queue, collector and imc in one, on a clock of its own, with matchmaking by size and place.

For tests, and for seeing what a policy does. It keeps imc's promises and HTCondor's: a drained worker takes no job, a
claimed one is not interrupted unless it is asked to be absent, what is absent never comes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from prominence.core.errors import Conflict, ProminenceError, Unavailable
from prominence.core.lifetimes import longest_now
from prominence.core.machines import CloudStatus, Flavour, Size, Wish, Worker, WorkerPhase, WorkerRequest
from prominence.core.placement import Place, Placement
from prominence.core.scaling import Action
from prominence.core.snapshot import Ad, Demand, ExecutePoint
from prominence.scaler.ports import RoundReport

_NOTHING = Size(cpus=0, memory_mib=0, disk_mib=0)
_ANYWHERE = Placement()
_NEVER_ENDS = 1 << 62


@dataclass
class Job:
    """worker: where it runs or ran. ended: it will not run any more."""

    size: Size
    user: str
    group: str = ""
    placement: Placement = _ANYWHERE
    runs_for: timedelta = timedelta(minutes=10)
    worker: str = ""
    started_at: datetime | None = None
    ended: bool = False
    ad: Ad = ()
    walltime_s: int | None = None

    @property
    def is_idle(self) -> bool:
        return self.started_at is None

    @property
    def is_running(self) -> bool:
        return self.started_at is not None and not self.ended


@dataclass
class PretendPool:
    """PoolSource and Provisioner. `advance` lets time pass; between two calls nothing happens by itself.

    unavailable: verbs of the ports that do not work, by name, with the reason.
    refusals: what asking for a worker, by name, raises. broken: flavours whose machines fail when they should join.
    kept: what machines keep for themselves of what their flavour promises. advertised: what they advertise, by flavour.
    meets: whether a job of this ad runs on a machine of that one.
    """

    offered: tuple[CloudStatus, ...]
    now: datetime
    boot_time: timedelta = timedelta(seconds=30)
    kept: Size = _NOTHING
    unavailable: dict[str, str] = field(default_factory=dict)
    refusals: dict[str, ProminenceError] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    jobs: list[Job] = field(default_factory=list)
    records: dict[str, Worker] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)
    collector_start: datetime | None = None
    fence: int = 0
    advertised: dict[str, Ad] = field(default_factory=dict)
    meets: Callable[[Ad, Ad], bool] = lambda job, machine: True

    def submit(
        self,
        size: Size,
        user: str,
        jobs: int = 1,
        group: str = "",
        placement: Placement = _ANYWHERE,
        runs_for: timedelta = timedelta(minutes=10),
        ad: Ad = (),
        walltime_s: int | None = None,
    ) -> None:
        """Put jobs into the queue."""
        job = Job(size, user, group, placement, runs_for, ad=ad, walltime_s=walltime_s)
        self.jobs.extend(replace(job) for _ in range(jobs))

    def advance(self, by: timedelta) -> None:
        """Let time pass: jobs end, workers take one step each, idle jobs are matched."""
        self.now += by
        for job in self.jobs:
            if job.started_at and job.started_at + job.runs_for <= self.now:
                job.ended = True
        for worker in sorted(self.records.values(), key=lambda worker: worker.name):
            self._step(worker)
        self._match()

    def restart_collector(self) -> None:
        """It has heard of nobody, until `hear`."""
        self.collector_start = self.now
        self.heard.clear()

    def hear(self) -> None:
        """All startds report to the collector."""
        self.heard.update(worker.name for worker in self._joined())

    # PoolSource

    def demand(self, walltimes: bool = False) -> Sequence[Demand]:
        self._check("demand")
        idle = Counter(
            (job.size, job.user, job.group, job.placement, job.ad, job.walltime_s if walltimes else None)
            for job in self.jobs
            if job.is_idle
        )
        return [
            Demand(size=size, user=user, group=group, placement=placement, ad=ad, walltime_s=walltime_s, jobs=n)
            for (size, user, group, placement, ad, walltime_s), n in idle.items()
        ]

    def group_cpus(self) -> Mapping[str, int]:
        self._check("demand")
        cpus: Counter[str] = Counter()
        for job in self.jobs:
            if job.group and job.is_running:
                cpus[job.group] += max(1, job.size.cpus)
        return cpus

    def execute_points(self) -> Sequence[ExecutePoint]:
        self._check("execute_points")
        return [self._execute_point(worker) for worker in self._joined() if worker.name in self.heard]

    def ads(self, attributes: Collection[str]) -> Mapping[str, Ad]:
        self._check("ads")
        wanted = {name.lower() for name in attributes}
        joined = (worker for worker in self._joined() if worker.name in self.heard)
        return {worker.name: self._told(worker, wanted) for worker in joined}

    def collector_started_at(self) -> datetime:
        self._check("collector_started_at")
        return self.collector_start or self.now - timedelta(days=1)

    # Provisioner

    def workers(self) -> Sequence[Worker]:
        self._check("workers")
        return list(self.records.values())

    def clouds(self) -> Sequence[CloudStatus]:
        self._check("clouds")
        return self.offered

    def request(self, name: str, request: WorkerRequest) -> None:
        self._check("request")
        if name in self.refusals:
            raise self.refusals[name]
        known = self.records.get(name)
        if request.fence < self.fence:
            raise Conflict(f"the fence {request.fence} is older than {self.fence}")
        if known and known.request.size != request.size:
            raise Conflict(f"{name} was asked for with another size")
        if known and known.request.wish is Wish.ABSENT and request.wish is not Wish.ABSENT:
            raise Conflict(f"{name} is being removed for good")
        self.fence = request.fence
        self.records[name] = (
            known.model_copy(update={"request": request})
            if known
            else Worker(name=name, request=request, requested_at=self.now, phase_since=self.now)
        )

    # What happens behind the ports

    def running_on(self, name: str) -> list[Job]:
        """Jobs that this worker runs now."""
        return [job for job in self.jobs if job.is_running and job.worker == name]

    def _step(self, worker: Worker) -> None:
        phase, end = worker.phase, _end(worker)
        if phase.is_over:
            return
        if worker.request.wish is Wish.ABSENT or (end and end <= self.now):
            self._remove(worker)
        elif phase is WorkerPhase.REQUESTED:
            launched = worker.model_copy(update={"flavour": self._flavour(worker.request), "attempts": 1})
            self._enter(launched, WorkerPhase.LAUNCHED, "its machine is there")
        elif phase is WorkerPhase.LAUNCHED:
            self._boot(worker)
        else:
            self._heed(worker)

    def _heed(self, worker: Worker) -> None:
        """What is wished of one that has joined."""
        wish = worker.request.wish
        if wish is Wish.PRESENT and worker.phase is not WorkerPhase.REGISTERED:
            self._enter(worker, WorkerPhase.REGISTERED, "wanted again")
        elif wish is Wish.DRAINED:
            busy = bool(self.running_on(worker.name))
            self._enter(worker, WorkerPhase.DRAINING if busy else WorkerPhase.DRAINED, worker.request.reason)

    def _boot(self, worker: Worker) -> None:
        if self.now - worker.phase_since < self.boot_time:
            return
        if worker.flavour and worker.flavour.name in self.broken:
            self._enter(worker, WorkerPhase.FAILED, "it did not join the pool")
        else:
            self._enter(worker, WorkerPhase.REGISTERED, "it has joined the pool")
            self.heard.add(worker.name)

    def _remove(self, worker: Worker) -> None:
        for job in self.running_on(worker.name):
            job.worker, job.started_at = "", None
        self.heard.discard(worker.name)
        self._enter(worker, WorkerPhase.DELETED, worker.request.reason)

    def _match(self) -> None:
        """Idle jobs to workers that take jobs, in the order in which they came, filling one worker before the next."""
        for job in self.jobs:
            if not job.is_idle:
                continue
            takers = [worker for worker in self._joined() if self._takes(worker, job)]
            if takers:
                best = min(takers, key=lambda worker: (job.placement.distance(_place(worker)), worker.name))
                job.worker, job.started_at = best.name, self.now

    def _takes(self, worker: Worker, job: Job) -> bool:
        takes_jobs = worker.phase is WorkerPhase.REGISTERED and worker.request.wish is Wish.PRESENT
        fits = takes_jobs and job.placement.takes(_place(worker)) and job.size.fits(self._free(worker))
        end = _end(worker)
        lasts = end is None or (job.walltime_s or _NEVER_ENDS) <= longest_now((end - self.now).total_seconds())
        return fits and lasts and self.meets(job.ad, self._ad(worker))

    def _told(self, worker: Worker, wanted: Collection[str]) -> Ad:
        told = {*wanted, *(["start"] if worker.phase is WorkerPhase.REGISTERED else [])}
        return tuple((name, text) for name, text in self._ad(worker) if name.lower() in told)

    def _ad(self, worker: Worker) -> Ad:
        return self.advertised.get(worker.flavour.name if worker.flavour else "", ())

    def _joined(self) -> list[Worker]:
        joined = (WorkerPhase.REGISTERED, WorkerPhase.DRAINING, WorkerPhase.DRAINED)
        return [worker for worker in self.records.values() if worker.phase in joined]

    def _execute_point(self, worker: Worker) -> ExecutePoint:
        return ExecutePoint(
            name=worker.name,
            cloud=_place(worker).cloud,
            region=_place(worker).region,
            total=self._total(worker),
            free=self._free(worker),
            claimed_slots=len(self.running_on(worker.name)),
            draining=worker.phase is not WorkerPhase.REGISTERED,
            last_heard_at=self.now,
            ends_at=_end(worker),
        )

    def _total(self, worker: Worker) -> Size:
        return (worker.flavour.size if worker.flavour else worker.request.size) - self.kept

    def _free(self, worker: Worker) -> Size:
        used = sum((job.size for job in self.running_on(worker.name)), start=_NOTHING)
        return self._total(worker) - used

    def _flavour(self, request: WorkerRequest) -> Flavour | None:
        flavours = (flavour for cloud in self.offered for flavour in cloud.flavours)
        return next((f for f in flavours if (f.cloud, f.name) == (request.cloud, request.flavour)), None)

    def _enter(self, worker: Worker, phase: WorkerPhase, reason: str) -> None:
        if worker.phase is not phase:
            worker = worker.in_phase(phase, self.now, reason)
        self.records[worker.name] = worker

    def _check(self, part: str) -> None:
        if part in self.unavailable:
            raise Unavailable(self.unavailable[part])


def _end(worker: Worker) -> datetime | None:
    """When its time is over, which begins when it is asked for."""
    lifetime_s = worker.flavour.lifetime_s if worker.flavour else None
    return worker.requested_at + timedelta(seconds=lifetime_s) if lifetime_s else None


def _place(worker: Worker) -> Place:
    return worker.flavour.place if worker.flavour else Place(worker.request.cloud)


@dataclass
class ToldMeter:
    """Meter that keeps what it was told."""

    rounds: int = 0
    leading: bool | None = None
    reports: list[RoundReport] = field(default_factory=list)
    acts: list[tuple[Action, ProminenceError | None]] = field(default_factory=list)

    @contextmanager
    def round(self) -> Iterator[None]:
        self.rounds += 1
        yield

    def leads(self, it_does: bool) -> None:
        self.leading = it_does

    def decided(self, report: RoundReport) -> None:
        self.reports.append(report)

    def acted(self, action: Action, error: ProminenceError | None) -> None:
        self.acts.append((action, error))
