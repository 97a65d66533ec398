"""Cores that wait, divided by a machine's cores and rounded up, as Google's autoscaler for HTCondor does once a minute.

Memory and GPUs of jobs are not reckoned with. What is too many goes at once: first what is still booting.
"""

from __future__ import annotations

import math

from prominence.core.scaling import Action, ScalingPlan
from prominence.scaler.simulate.load import Load
from prominence.scaler.simulate.peers.seen import Slots, by_kind, create, machines, plan, remove, standard
from prominence.scaler.simulate.strategy import Sight


class Ceiling:
    """One group of machines for each standard kind; each job names the first group whose machines hold it."""

    name = "ceiling"
    interval_s = 60.0
    wakes = False
    dedicated = False
    is_steady = True

    def __init__(self, load: Load) -> None:
        self._kinds = standard(load)

    def plan(self, sight: Sight) -> ScalingPlan:
        there, slots = machines(sight.snapshot), Slots(sight.snapshot)
        demand = by_kind(sight.snapshot.demand or (), self._kinds)
        actions: list[Action] = []
        missing = 0.0
        for kind in self._kinds:
            cores = missing + sum(one.jobs * max(1, one.size.cpus) for one in demand[kind.name])
            spare = [one for one in there if one.flavour == kind.name and not one.is_claimed]
            wanted = math.ceil(cores / kind.size.cpus) - len(spare)
            made = 0
            while made < wanted and slots.take(kind):
                actions.append(create(sight, kind, "cores wait"))
                made += 1
            # A full cloud's share goes to the same kind elsewhere, which the original would leave waiting.
            missing = (wanted - made) * kind.size.cpus if made < wanted and self._has_twin(kind.name) else 0.0
            for one in sorted(spare, key=lambda one: not one.is_coming)[: max(0, -wanted)]:
                actions.append(remove(one, "no cores wait"))
        return plan(sight, actions)

    def _has_twin(self, name: str) -> bool:
        number = next(n for n, kind in enumerate(self._kinds) if kind.name == name)
        return number + 1 < len(self._kinds) and self._kinds[number].size == self._kinds[number + 1].size
