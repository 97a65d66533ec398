"""One machine for each job, made to measure, as the first PROMINENCE did: its job router asked for one infrastructure
per job once a minute, with no more than 60 jobs on their way and 200 in all, and removed it with its job."""

from __future__ import annotations

from collections import Counter

from prominence.core.scaling import Action, ScalingPlan
from prominence.scaler.simulate.load import Load
from prominence.scaler.simulate.peers.seen import Slots, create, drained, machines, plan, remove
from prominence.scaler.simulate.strategy import Sight

MOST_ON_THEIR_WAY, MOST = 60, 200


class PerJob:
    """The machine offers what its job asked for, so that no second one shares it."""

    name = "per-job"
    interval_s = 60.0
    wakes = False
    dedicated = True
    is_steady = True

    def __init__(self, load: Load) -> None:
        self._flavours = sorted(load.flavours, key=lambda flavour: (flavour.price, flavour.name))

    def plan(self, sight: Sight) -> ScalingPlan:
        there = machines(sight.snapshot)
        spare = Counter(one.worker.request.size for one in there if not one.is_claimed)
        coming = sum(1 for one in there if one.is_coming)
        slots = Slots(sight.snapshot)
        existing = sum(1 for worker in sight.snapshot.workers or () if not worker.phase.is_over)
        actions: list[Action] = []
        waiting: Counter[object] = Counter()
        for demand in sight.snapshot.demand or ():
            waiting[demand.size] += demand.jobs
            for _ in range(demand.jobs):
                if spare[demand.size] > 0:
                    spare[demand.size] -= 1
                elif coming + len(actions) < MOST_ON_THEIR_WAY and existing + len(actions) < MOST:
                    fitting = (f for f in self._flavours if demand.size.fits(f.size))
                    flavour = next((f for f in fitting if slots.take(f)), None)
                    if flavour is None:
                        break
                    actions.append(create(sight, flavour, "a job waits", demand.size))
        for one in there:
            if one.is_idle and not waiting[one.worker.request.size]:
                actions.append(remove(one, "its job is gone"))
        return plan(sight, [*actions, *drained(sight.snapshot)])
