"""A pretend pool: queue, collector and imc in one, on a clock of its own, with matchmaking by size.

For tests, and for seeing what a policy does. It keeps imc's promises and HTCondor's: a drained worker takes no job, a
claimed one is not interrupted unless it is asked to be absent, what is absent never comes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prominence.core.errors import Conflict, ProminenceError, Unavailable
from prominence.core.machines import CloudStatus, Flavour, Size, Wish, Worker, WorkerPhase, WorkerRequest
from prominence.core.snapshot import Demand, ExecutePoint

_NOTHING = Size(cpus=0, memory_mib=0, disk_mib=0)


@dataclass
class Job:
    """worker: where it runs or ran. ended: it will not run any more."""

    size: Size
    user: str
    group: str = ""
    runs_for: timedelta = timedelta(minutes=10)
    worker: str = ""
    started_at: datetime | None = None
    ended: bool = False

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
    kept: what machines keep for themselves of what their flavour promises.
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

    def submit(
        self, size: Size, user: str, jobs: int = 1, group: str = "", runs_for: timedelta = timedelta(minutes=10)
    ) -> None:
        """Put jobs into the queue."""
        self.jobs.extend(Job(size, user, group, runs_for) for _ in range(jobs))

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

    def demand(self) -> Sequence[Demand]:
        self._check("demand")
        idle = Counter((job.size, job.user, job.group) for job in self.jobs if job.is_idle)
        return [Demand(size=size, user=user, group=group, jobs=n) for (size, user, group), n in idle.items()]

    def execute_points(self) -> Sequence[ExecutePoint]:
        self._check("execute_points")
        return [self._execute_point(worker) for worker in self._joined() if worker.name in self.heard]

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
        wish, phase = worker.request.wish, worker.phase
        if phase.is_over:
            return
        if wish is Wish.ABSENT:
            self._remove(worker)
        elif phase is WorkerPhase.REQUESTED:
            launched = worker.model_copy(update={"flavour": self._flavour(worker.request), "attempts": 1})
            self._enter(launched, WorkerPhase.LAUNCHED, "its machine is there")
        elif phase is WorkerPhase.LAUNCHED:
            self._boot(worker)
        elif wish is Wish.PRESENT and phase is not WorkerPhase.REGISTERED:
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
            for worker in sorted(self._joined(), key=lambda worker: worker.name):
                takes_jobs = worker.phase is WorkerPhase.REGISTERED and worker.request.wish is Wish.PRESENT
                if takes_jobs and job.size.fits(self._free(worker)):
                    job.worker, job.started_at = worker.name, self.now
                    break

    def _joined(self) -> list[Worker]:
        joined = (WorkerPhase.REGISTERED, WorkerPhase.DRAINING, WorkerPhase.DRAINED)
        return [worker for worker in self.records.values() if worker.phase in joined]

    def _execute_point(self, worker: Worker) -> ExecutePoint:
        return ExecutePoint(
            name=worker.name,
            total=self._total(worker),
            free=self._free(worker),
            claimed_slots=len(self.running_on(worker.name)),
            draining=worker.phase is not WorkerPhase.REGISTERED,
            last_heard_at=self.now,
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
