"""One load against one strategy, from the first job to the last machine."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from random import Random

from prominence.core.snapshot import PoolSnapshot
from prominence.scaler.simulate.load import DAY_S, HOUR_S, Load
from prominence.scaler.simulate.machine import moment
from prominence.scaler.simulate.outcome import Outcome, Sample, outcome_of
from prominence.scaler.simulate.strategy import Sight, Strategy
from prominence.scaler.simulate.world import World

WAKE_S = 1.0
"""From a new job to the round that it brings on: what the service takes to hear of it."""

STUCK_S = DAY_S
"""So long without any job that comes, starts or ends: the rest will never run."""

TAIL_S = 2 * HOUR_S
"""Machines that are still there so long after the last job are counted up to then."""

SAMPLE_S = 300.0

Decided = Callable[[PoolSnapshot, float], None]


def simulate(load: Load, strategy: Strategy, seed: int, watch: Decided = lambda snapshot, took_s: None) -> Outcome:
    """What becomes of it. seed: of what happens by chance in the world. watch: is told of each round."""
    return _Run(load, strategy, seed, watch).to_the_end()


class _Run:
    def __init__(self, load: Load, strategy: Strategy, seed: int, watch: Decided) -> None:
        chance = Random(seed)
        self._strategy = strategy
        self._world = World(load, chance, strategy.dedicated)
        self._names = (f"w-{number}" for number in itertools.count(1))
        self._watch = watch
        self._next_s = chance.uniform(0, strategy.interval_s)
        self._seen: int | None = None
        self._samples: list[Sample] = []
        self._decision_s: list[float] = []
        self._world.at(self._next_s, self._round_at(self._next_s))
        self._world.at(0, self._sample)
        if strategy.wakes:
            self._world.on_submit = self._wake

    def to_the_end(self) -> Outcome:
        world = self._world
        while not world.is_done and not self._has_gone_on_too_long() and world.advance():
            pass
        return outcome_of(world, self._strategy.name, self._samples, self._decision_s)

    def _has_gone_on_too_long(self) -> bool:
        world = self._world
        quiet_s = world.now_s - world.last_news_s
        if len(world.ended) == len(world.load.jobs):
            return quiet_s > TAIL_S
        return quiet_s > STUCK_S and not world.running and world.submitted == len(world.load.jobs)

    def _wake(self) -> None:
        soon_s = self._world.now_s + WAKE_S
        if soon_s < self._next_s:
            self._next_s = soon_s
            self._world.at(soon_s, self._round_at(soon_s))

    def _round_at(self, when_s: float) -> Callable[[], None]:
        def due() -> None:
            if when_s == self._next_s:  # else another round was brought on instead
                self._round()
                self._next_s = when_s + self._strategy.interval_s
                self._world.at(self._next_s, self._round_at(self._next_s))

        return due

    def _round(self) -> None:
        world = self._world
        if self._strategy.is_steady and world.version == self._seen and not self._time_matters():
            return
        snapshot = world.snapshot()
        began = time.perf_counter()
        plan = self._strategy.plan(Sight(snapshot, moment(world.now_s), self._names, world.sizes_on))
        self._decision_s.append(time.perf_counter() - began)
        self._watch(snapshot, self._decision_s[-1])
        for action in plan.actions:
            world.carry_out(action)
        self._seen = world.version

    def _time_matters(self) -> bool:
        """Something may be done because it is later, and for no other reason."""
        world = self._world
        return len(world.queue) > 0 or any(machine.is_settling(world.now_s) for machine in world.machines.values())

    def _sample(self) -> None:
        world = self._world
        there = [machine for machine in world.machines.values() if machine.launched_s is not None]
        alive = [machine for machine in there if not machine.phase.is_over]
        cores = sum(machine.flavour.size.cpus for machine in alive)
        free = sum(machine.free[0] if machine.has_joined else machine.flavour.size.cpus for machine in alive)
        self._samples.append(Sample(world.now_s, len(world.queue), len(alive), cores, cores - free))
        world.at(world.now_s + SAMPLE_S, self._sample)
