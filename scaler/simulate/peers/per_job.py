"""One machine for each job, made to measure, as the first PROMINENCE did: its job router asked for one infrastructure
per job once a minute, with no more than 60 jobs on their way and 200 in all, and removed it with its job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from prominence.core.scaling import Action, ScalingPlan
from prominence.scaler.simulate.load import Load
from prominence.scaler.simulate.peers.seen import Seen, Slots, create, drained, machines, plan, remove
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
        waiting: Counter[object] = Counter()
        for demand in sight.snapshot.demand or ():
            waiting[demand.size] += demand.jobs
        done = (one for one in there if one.is_idle and not waiting[one.worker.request.size])
        removed = [remove(one, "its job is gone") for one in done]
        return plan(sight, [*self._created(sight, there), *removed, *drained(sight.snapshot)])

    def _created(self, sight: Sight, there: Sequence[Seen]) -> Iterator[Action]:
        spare = Counter(one.worker.request.size for one in there if not one.is_claimed)
        coming = sum(1 for one in there if one.is_coming)
        existing = sum(1 for worker in sight.snapshot.workers or () if not worker.phase.is_over)
        slots, left = Slots(sight.snapshot), min(MOST_ON_THEIR_WAY - coming, MOST - existing)
        for demand in sight.snapshot.demand or ():
            has_one = min(demand.jobs, spare[demand.size])
            spare[demand.size] -= has_one
            for _ in range(min(left, demand.jobs - has_one)):
                flavour = next((f for f in self._flavours if demand.size.fits(f.size) and slots.take(f)), None)
                if flavour is None:
                    break
                left -= 1
                yield create(sight, flavour, "a job waits", demand.size)
