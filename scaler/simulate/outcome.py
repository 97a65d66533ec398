"""What came of a run, in figures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from prominence.core.machines import WorkerPhase
from prominence.scaler.simulate.world import World


@dataclass(frozen=True)
class Sample:
    """The pool at one moment: idle jobs, machines that are paid, their cores, and those of these that work."""

    at_s: float
    idle_jobs: int
    machines: int
    cores: int
    busy_cores: int


@dataclass(frozen=True)
class Outcome:
    """Waits: from submit to end, less the run time, so that work that was lost counts; a job that never ran has waited
    until the end. makespan: from the first job's submit to the last one's end. utilisation: of the cores that were
    paid, the part that did work that counts. killed: attempts that ended with their machine.
    """

    strategy: str
    jobs: int
    not_run: int
    mean_wait_s: float
    median_wait_s: float
    p95_wait_s: float
    makespan_s: float
    cost: float
    utilisation: float
    machines: int
    most_machines: int
    failed: int
    killed: int
    rounds: int
    mean_decision_s: float
    slowest_decision_s: float
    samples: tuple[Sample, ...] = ()


def outcome_of(world: World, name: str, samples: Sequence[Sample], decision_s: Sequence[float]) -> Outcome:
    """The figures of a world that has come to its end."""
    begin_s = world.load.jobs[0].submitted_s if world.load.jobs else 0.0
    ran = {one.job.number for one in world.ended}
    waits = [one.ended_s - one.job.submitted_s - one.job.runtime_s for one in world.ended]
    waits += [max(0.0, world.now_s - job.submitted_s) for job in world.load.jobs if job.number not in ran]
    waits.sort()
    machines = [*world.gone, *world.machines.values()]
    launched = [machine for machine in machines if machine.launched_s is not None]
    paid = sum(machine.paid_s(world.now_s) * machine.flavour.size.cpus for machine in launched)
    worked = sum(one.job.runtime_s * one.job.size.cpus * one.job.nodes for one in world.ended)
    return Outcome(
        strategy=name,
        jobs=len(world.load.jobs),
        not_run=len(world.load.jobs) - len(ran),
        mean_wait_s=statistics.fmean(waits) if waits else 0.0,
        median_wait_s=statistics.median(waits) if waits else 0.0,
        p95_wait_s=waits[min(len(waits) - 1, int(0.95 * len(waits)))] if waits else 0.0,
        makespan_s=max((one.ended_s for one in world.ended), default=begin_s) - begin_s,
        cost=sum(machine.cost(world.now_s) for machine in launched),
        utilisation=worked / paid if paid else 0.0,
        machines=len(launched),
        most_machines=most_at_once([(m.launched_s or 0.0, m.gone_s) for m in launched]),
        failed=sum(1 for machine in machines if machine.phase is WorkerPhase.FAILED),
        killed=sum(one.starts - 1 for one in world.ended),
        rounds=len(decision_s),
        mean_decision_s=statistics.fmean(decision_s) if decision_s else 0.0,
        slowest_decision_s=max(decision_s, default=0.0),
        samples=tuple(samples),
    )


def most_at_once(spans: Sequence[tuple[float, float | None]]) -> int:
    """Of spans of time (None: without an end), how many overlap where most do."""
    changes = [(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans if end is not None]
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most
