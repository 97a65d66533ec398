"""Feedback on how well the machines are used, as COBalD and TARDIS do: the queue is never looked at.

For each kind of machine a linear controller with COBalD's defaults: every second the demand falls by a core where the
mean utilisation of its machines is below one half, and else rises by one where their mean allocation is above. Without
any machine both count as 1. Every 30 s machines are made or drained to meet the demand, the least used first.
"""

from __future__ import annotations

from collections.abc import Sequence

from prominence.core.machines import Flavour
from prominence.core.scaling import Act, Action, ScalingPlan
from prominence.scaler.simulate.load import Load
from prominence.scaler.simulate.peers.seen import Seen, Slots, create, drained, machines, plan, remove, standard
from prominence.scaler.simulate.strategy import Sight

LOW_UTILISATION = HIGH_ALLOCATION = 0.5
RATE = 1.0
"""Cores a second."""

ADJUST_S = 30.0


class Feedback:
    """interval_s: steps of the controllers are put together, as a straight line does not need them one by one."""

    name = "feedback"
    interval_s = 10.0
    wakes = False
    dedicated = False
    is_steady = False

    def __init__(self, load: Load) -> None:
        self._kinds = standard(load)
        limits = {cloud.name: cloud.limit for cloud in load.clouds}
        self._most = {kind.name: float(limits[kind.cloud] * kind.size.cpus) for kind in self._kinds}
        self.demand = {kind.name: 0.0 for kind in self._kinds}
        self._since_adjusted_s = 0.0

    def plan(self, sight: Sight) -> ScalingPlan:
        there, slots = machines(sight.snapshot), Slots(sight.snapshot)
        self._since_adjusted_s += self.interval_s
        adjusts = self._since_adjusted_s >= ADJUST_S
        if adjusts:
            self._since_adjusted_s = 0.0
        actions: list[Action] = []
        for kind in self._kinds:
            own = [one for one in there if one.flavour == kind.name]
            self._regulate(kind, own)
            if adjusts:
                actions += self._adjust(sight, kind, own, slots)
        return plan(sight, [*actions, *drained(sight.snapshot)])

    def _regulate(self, kind: Flavour, own: Sequence[Seen]) -> None:
        used = [_used(one) for one in own if not one.is_coming]
        utilisation = sum(min(ratios) for ratios in used) / len(used) if used else 1.0
        allocation = sum(max(ratios) for ratios in used) / len(used) if used else 1.0
        step = RATE * self.interval_s
        if utilisation < LOW_UTILISATION:
            self.demand[kind.name] = max(0.0, self.demand[kind.name] - step)
        elif allocation > HIGH_ALLOCATION:
            self.demand[kind.name] = min(self._most[kind.name], self.demand[kind.name] + step)

    def _adjust(self, sight: Sight, kind: Flavour, own: Sequence[Seen], slots: Slots) -> list[Action]:
        cores = kind.size.cpus
        supply = sum(cores for one in own if not one.is_coming)
        if supply <= self.demand[kind.name]:
            missing = self.demand[kind.name] - cores * len(own)
            actions = []
            while missing > 0 and slots.take(kind):
                actions.append(create(sight, kind, "the demand is above the supply"))
                missing -= cores
            return actions
        excess = cores * len(own) - self.demand[kind.name]
        least_used = sorted(own, key=lambda one: (0.0 if one.is_coming else min(_used(one)), one.name))
        actions = []
        for one in least_used:
            if cores <= excess:
                actions.append(
                    remove(one, "the supply is above the demand", Act.DELETE if one.is_coming else Act.DRAIN)
                )
                excess -= cores
        return actions


def _used(one: Seen) -> list[float]:
    """Of cores and memory the part in use."""
    assert one.point is not None
    total, free = one.point.total, one.point.free
    return [
        1 - there / whole for there, whole in ((free.cpus, total.cpus), (free.memory_mib, total.memory_mib)) if whole
    ]
