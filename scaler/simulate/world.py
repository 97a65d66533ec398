"""The pretended world: jobs come and end, machines boot, fail and go, and jobs are matched, event by event."""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from prominence.core.machines import CloudStatus, Flavour, Size, Wish, WorkerPhase, WorkerRequest
from prominence.core.scaling import Act, Action
from prominence.core.snapshot import PoolSnapshot, SeenStart
from prominence.scaler import idling
from prominence.scaler.catalogue import Kind, kind_of
from prominence.scaler.simulate.load import DAY_S, Job, Load
from prominence.scaler.simulate.machine import Machine, Run, amounts, moment
from prominence.scaler.simulate.queue import Queue
from prominence.scaler.starts import KEPT

CREATE_S, DELETE_S = 2.0, 5.0
"""What a cloud takes to make a machine, and to end one; the latter is paid."""

JOIN_TIMEOUT_S = 600.0
"""A machine that has not joined by then is given up, as imc does."""

CYCLE_S = 1.0
"""From something new to the negotiator's next cycle, as in our pools."""

REMEMBERED_S = 3600.0
"""How long imc tells of workers that failed."""


@dataclass(frozen=True)
class Ended:
    """A job that is done. starts: how often it had to begin."""

    job: Job
    started_s: float
    ended_s: float
    starts: int


class World:
    """now_s only grows, by `advance`. dedicated: a machine is made for one job, and
    offers no more than what was asked for."""

    def __init__(self, load: Load, chance: Random, dedicated: bool = False) -> None:
        self.load = load
        self.now_s = 0.0
        self.queue = Queue()
        self.machines: dict[str, Machine] = {}
        self.gone: list[Machine] = []
        self.ended: list[Ended] = []
        self.submitted = 0
        self.version = 0
        self.last_news_s = 0.0
        self.on_submit: Callable[[], None] = lambda: None
        self._chance = chance
        self._dedicated = dedicated
        self._running: set[Run] = set()
        self._starts: Counter[int] = Counter()
        self._changed: set[Machine] = set()
        self._cycle_is_due = False
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._starts_seen: dict[Kind, deque[SeenStart]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._last_seen: PoolSnapshot | None = None
        self._clouds = {cloud.name: cloud for cloud in load.clouds}
        self._statuses = tuple(
            CloudStatus(name=cloud.name, flavours=cloud.flavours, limit=cloud.limit) for cloud in load.clouds
        )
        for job in load.jobs:
            self.at(job.submitted_s, self._submitter(job))

    # Time

    def at(self, when_s: float, act: Callable[[], None]) -> None:
        """Let it happen then."""
        self._order += 1
        heapq.heappush(self._events, (when_s, self._order, act))

    def advance(self) -> bool:
        """To the next event; False when there is none."""
        if not self._events:
            return False
        self.now_s, _, act = heapq.heappop(self._events)
        act()
        return True

    @property
    def is_done(self) -> bool:
        """All jobs have ended, and no machine is left."""
        return len(self.ended) == len(self.load.jobs) and not any(not m.phase.is_over for m in self.machines.values())

    @property
    def running(self) -> int:
        """Jobs that run now."""
        return len(self._running)

    # What the scaler sees

    def snapshot(self) -> PoolSnapshot:
        """All of it, as it is now."""
        self._forget()
        machines, now = self.machines.values(), moment(self.now_s)
        points = tuple(machine.point(self.now_s) for machine in machines if machine.has_joined)
        workers = tuple(machine.worker() for machine in machines)
        self._last_seen = PoolSnapshot.model_construct(
            taken_at=now,
            demand=self.queue.demand(),
            execute_points=points,
            workers=workers,
            clouds=self._statuses,
            collector_started_at=moment(-DAY_S),
            seen_starts=tuple(start for starts in self._starts_seen.values() for start in starts),
            seen_idle=idling.seen(points, workers, self._last_seen, now),
        )
        return self._last_seen

    def sizes_on(self, name: str) -> list[Size]:
        """Of the jobs that run on a machine, node by node."""
        return [run.job.size for run, nodes in self.machines[name].runs.items() for _ in range(nodes)]

    # What the scaler does

    def carry_out(self, action: Action) -> None:
        """As imc does, which refuses what cannot be."""
        self.version += 1
        if action.act is Act.CREATE:
            self._create(action)
            return
        machine = self.machines[action.worker]
        if machine.phase.is_over or machine.request.wish is Wish.ABSENT:
            return
        if action.act is Act.DELETE:
            self._delete(machine, action.reason)
        elif action.act is Act.DRAIN:
            machine.wish(Wish.DRAINED, action.reason)
            if machine.has_joined:
                machine.enter(WorkerPhase.DRAINING if machine.runs else WorkerPhase.DRAINED, self.now_s, action.reason)
        else:
            machine.wish(Wish.PRESENT, action.reason)
            if machine.has_joined:
                machine.enter(WorkerPhase.REGISTERED, self.now_s, action.reason)
                self._has_room(machine)

    # Machines

    def _create(self, action: Action) -> None:
        flavour = self._flavour(action)
        cloud = self._clouds[flavour.cloud]
        request = WorkerRequest(
            size=action.size, cloud=action.cloud, flavour=action.flavour, reason=action.reason, fence=0
        )
        offers = _at_least_a_core(action.size) if self._dedicated else flavour.size
        there = sum(1 for one in self.machines.values() if one.cloud is cloud and not one.phase.is_over)
        machine = Machine(action.worker, cloud, flavour, request, self.now_s, offers, since_s=self.now_s)
        self.machines[machine.name] = machine
        if there >= cloud.limit:
            machine.enter(WorkerPhase.FAILED, self.now_s, "the quota is used up")
        else:
            self.at(self.now_s + CREATE_S, lambda: self._launch(machine))

    def _flavour(self, action: Action) -> Flavour:
        return next(f for f in self.load.flavours if (f.cloud, f.name) == (action.cloud, action.flavour))

    def _launch(self, machine: Machine) -> None:
        if machine.phase.is_over:
            return
        cloud = machine.cloud
        self.version += 1
        if self._chance.random() < cloud.refused:
            machine.enter(WorkerPhase.FAILED, self.now_s, "out of capacity")
            return
        machine.launched_s = self.now_s
        machine.enter(WorkerPhase.LAUNCHED, self.now_s)
        boot_s = self._chance.lognormvariate(math.log(cloud.boot_s), cloud.spread)
        if self._chance.random() < cloud.lost or boot_s > JOIN_TIMEOUT_S:
            self.at(self.now_s + JOIN_TIMEOUT_S, lambda: self._give_up(machine))
        else:
            self.at(self.now_s + boot_s, lambda: self._join(machine))

    def _give_up(self, machine: Machine) -> None:
        if not machine.phase.is_over and machine.request.wish is not Wish.ABSENT:
            machine.gone_s = self.now_s
            self.version += 1
            machine.enter(WorkerPhase.FAILED, self.now_s, "it did not join the pool")

    def _join(self, machine: Machine) -> None:
        if machine.phase.is_over or machine.request.wish is Wish.ABSENT:
            return
        machine.idle_since_s = self.now_s
        self.version += 1
        kind = kind_of(machine.flavour)
        self._starts_seen[kind].append(
            SeenStart(
                worker=machine.name,
                cloud=kind[0],
                flavour=kind[1],
                seconds=self.now_s - machine.requested_s,
                joined_at=moment(self.now_s),
            )
        )
        drains = machine.request.wish is Wish.DRAINED
        machine.enter(WorkerPhase.DRAINED if drains else WorkerPhase.REGISTERED, self.now_s)
        self._has_room(machine)

    def _delete(self, machine: Machine, reason: str) -> None:
        machine.wish(Wish.ABSENT, reason)
        for run in list(machine.runs):
            self._stop(run)
            self.queue.add(run.job, first=True)
            self._call_negotiator()
        self.at(self.now_s + DELETE_S, lambda: self._remove(machine))

    def _remove(self, machine: Machine) -> None:
        if machine.launched_s is not None:
            machine.gone_s = self.now_s
        self.version += 1
        machine.enter(WorkerPhase.DELETED, self.now_s, machine.request.reason)
        self.gone.append(self.machines.pop(machine.name))

    def _forget(self) -> None:
        for machine in [m for m in self.machines.values() if m.phase is WorkerPhase.FAILED]:
            if self.now_s - machine.since_s > REMEMBERED_S:
                self.gone.append(self.machines.pop(machine.name))

    # Jobs

    def _submitter(self, job: Job) -> Callable[[], None]:
        def submit() -> None:
            self.submitted += 1
            self.version += 1
            self.last_news_s = self.now_s
            self.queue.add(job)
            self._call_negotiator()
            self.on_submit()

        return submit

    def _has_room(self, machine: Machine) -> None:
        self._changed.add(machine)
        self._call_negotiator()

    def _call_negotiator(self) -> None:
        if not self._cycle_is_due:
            self._cycle_is_due = True
            self.at(self.now_s + CYCLE_S, self._negotiate)

    def _negotiate(self) -> None:
        self._cycle_is_due = False
        changed, self._changed = self._changed, set()
        self.queue.cycle(changed, (m for m in self.machines.values() if m.takes_jobs), self._start)

    def _start(self, job: Job, machines: list[Machine]) -> None:
        run = Run(job, tuple(dict.fromkeys(machines)), self.now_s)
        needed = amounts(job.size)
        for machine in machines:
            machine.take(run, needed)
        self.version += 1
        self.last_news_s = self.now_s
        self._starts[job.number] += 1
        self._running.add(run)
        self.queue.use(job, 1)
        self.at(self.now_s + job.runtime_s, lambda: self._end(run))

    def _end(self, run: Run) -> None:
        if run.is_over:
            return
        self._stop(run)
        job = run.job
        self.ended.append(Ended(job, run.started_s, self.now_s, self._starts[job.number]))
        if self._dedicated:
            for machine in run.machines:
                machine.wish(Wish.DRAINED, "its job has ended")
                machine.enter(WorkerPhase.DRAINED, self.now_s, "its job has ended")
            return
        if run.machines[0].takes_jobs and (following := self.queue.next_like(job)):
            self._start(following, [run.machines[0]])
            return
        for machine in run.machines:
            if machine.takes_jobs:
                self._has_room(machine)
            elif machine.phase is WorkerPhase.DRAINING and not machine.runs:
                machine.enter(WorkerPhase.DRAINED, self.now_s, machine.request.reason)

    def _stop(self, run: Run) -> None:
        run.is_over = True
        self.version += 1
        self.last_news_s = self.now_s
        needed = amounts(run.job.size)
        for machine in run.machines:
            machine.release(run, needed, self.now_s)
        self._running.discard(run)
        self.queue.use(run.job, -1)


def _at_least_a_core(size: Size) -> Size:
    return size.model_copy(update={"cpus": max(1, size.cpus)})
