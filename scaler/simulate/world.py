"""The pretended world: jobs come, are matched and end on machines that boot, fail and go, event by event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from prominence.core.machines import Size, Wish, WorkerPhase
from prominence.core.scaling import Action
from prominence.core.snapshot import PoolSnapshot
from prominence.scaler import idling
from prominence.scaler.simulate.agenda import Agenda
from prominence.scaler.simulate.fleet import Fleet
from prominence.scaler.simulate.load import DAY_S, Job, Load
from prominence.scaler.simulate.machine import Machine, Run, amounts, moment
from prominence.scaler.simulate.queue import Queue

CYCLE_S = 1.0
"""From something new to the negotiator's next cycle, as in our pools."""


@dataclass(frozen=True)
class Ended:
    """A job that is done. starts: how often it had to begin."""

    job: Job
    started_s: float
    ended_s: float
    starts: int


class World:
    """dedicated: a machine is made for one job, and offers no more than what was asked for."""

    def __init__(self, load: Load, chance: Random, dedicated: bool = False) -> None:
        self.load = load
        self.queue = Queue()
        self.ended: list[Ended] = []
        self.submitted = 0
        self.last_news_s = 0.0
        self.on_submit: Callable[[], None] = lambda: None
        self._agenda = Agenda()
        self._fleet = Fleet(load, self._agenda, chance, self, dedicated)
        self._dedicated = dedicated
        self._version = 0
        self._running: set[Run] = set()
        self._starts: Counter[int] = Counter()
        self._changed: set[Machine] = set()
        self._cycle_is_due = False
        self._last_seen: PoolSnapshot | None = None
        for job in load.jobs:
            self.at(job.submitted_s, self._submitter(job))

    # Time

    @property
    def now_s(self) -> float:
        """Only grows."""
        return self._agenda.now_s

    def at(self, when_s: float, act: Callable[[], None]) -> None:
        """Let it happen then."""
        self._agenda.at(when_s, act)

    def advance(self) -> bool:
        """To the next event; False when there is none."""
        return self._agenda.advance()

    @property
    def is_done(self) -> bool:
        """All jobs have ended, and no machine is left."""
        return len(self.ended) == len(self.load.jobs) and not any(not m.phase.is_over for m in self.machines.values())

    @property
    def running(self) -> int:
        """Jobs that run now."""
        return len(self._running)

    @property
    def version(self) -> int:
        """Another one whenever there is something new to be seen."""
        return self._version + self._fleet.version

    @property
    def machines(self) -> dict[str, Machine]:
        """That are there or to be, by name."""
        return self._fleet.machines

    @property
    def gone(self) -> list[Machine]:
        """That were there."""
        return self._fleet.gone

    # What the scaler sees and does

    def snapshot(self) -> PoolSnapshot:
        """All of it, as it is now."""
        self._fleet.forget()
        machines, now = self.machines.values(), moment(self.now_s)
        points = tuple(machine.point(self.now_s) for machine in machines if machine.has_joined)
        workers = tuple(machine.worker() for machine in machines)
        self._last_seen = PoolSnapshot.model_construct(
            taken_at=now,
            demand=self.queue.demand(),
            execute_points=points,
            workers=workers,
            clouds=self._fleet.clouds,
            collector_started_at=moment(-DAY_S),
            seen_starts=self._fleet.starts_seen,
            seen_idle=idling.seen(points, workers, self._last_seen, now),
        )
        return self._last_seen

    def sizes_on(self, name: str) -> list[Size]:
        """Of the jobs that run on a machine, node by node."""
        return [run.job.size for run, nodes in self.machines[name].runs.items() for _ in range(nodes)]

    def carry_out(self, action: Action) -> None:
        """As imc does, which refuses what cannot be."""
        self._fleet.carry_out(action)

    # Jobs

    def _submitter(self, job: Job) -> Callable[[], None]:
        def submit() -> None:
            self.submitted += 1
            self._version += 1
            self.last_news_s = self.now_s
            self.queue.add(job)
            self._call_negotiator()
            self.on_submit()

        return submit

    def have_room(self, machine: Machine) -> None:
        """There is more of it there than before."""
        self._changed.add(machine)
        self._call_negotiator()

    def are_lost(self, run: Run) -> None:
        """Its machine goes, and it begins anew."""
        self._stop(run)
        self.queue.add(run.job, first=True)
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
        self._version += 1
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
                self.have_room(machine)
            elif machine.phase is WorkerPhase.DRAINING and not machine.runs:
                machine.enter(WorkerPhase.DRAINED, self.now_s, machine.request.reason)

    def _stop(self, run: Run) -> None:
        run.is_over = True
        self._version += 1
        self.last_news_s = self.now_s
        needed = amounts(run.job.size)
        for machine in run.machines:
            machine.release(run, needed, self.now_s)
        self._running.discard(run)
        self.queue.use(run.job, -1)
