"""A third of what is missing, with curbs, as glideinWMS's frontend asks its factory for pilots once a minute.

For each kind of machine: cores that wait, less those that are free on machines with memory left, in machines; a third
of that may be on its way at once, half of it for each curb that is exceeded. Jobs' memory and GPUs are not reckoned
with. A machine ends itself after 20 minutes without work; where nothing waits for its kind, machines on their way are
called off after 5 rounds, and idle ones after 10.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from prominence.core.machines import Flavour
from prominence.core.scaling import Action, ScalingPlan
from prominence.core.snapshot import Demand
from prominence.scaler.simulate.load import Load
from prominence.scaler.simulate.peers.seen import Seen, Slots, by_kind, create, machines, plan, remove, standard
from prominence.scaler.simulate.strategy import Sight

ATTENUATION = 3
UNUSABLE_MIB = 2500
"""Free cores of a machine with less memory left do not count."""

IDLE_CURB, IDLE_MOST = 5, 100
IDLE_TOTAL_CURB, IDLE_TOTAL_MOST = 200, 1000
"""Free cores, for each kind and in all, above which half is asked for, and nothing."""

LONGEST_IDLE_S = 1200.0
CALLED_OFF, ENDED = 5, 10
"""Rounds with nothing to do for a kind."""


class Shortfall:
    """One entry of the factory for each standard kind; jobs count for the first that holds them."""

    name = "shortfall"
    interval_s = 60.0
    wakes = False
    dedicated = False
    is_steady = False

    def __init__(self, load: Load) -> None:
        self._kinds = standard(load)
        self._empty: Counter[str] = Counter()

    def plan(self, sight: Sight) -> ScalingPlan:
        there, slots = machines(sight.snapshot), Slots(sight.snapshot)
        demand = by_kind(sight.snapshot.demand or (), self._kinds)
        free_in_all = sum(_free_cores(one) for one in there)
        actions: list[Action] = []
        for kind in self._kinds:
            own = [one for one in there if one.flavour == kind.name]
            waiting = sum(one.jobs * max(1, one.size.cpus) for one in demand[kind.name])
            self._empty[kind.name] = 0 if waiting else self._empty[kind.name] + 1
            wanted = wanted_on_their_way(waiting, own, kind, free_in_all) - sum(1 for one in own if one.is_coming)
            made = 0
            while made < wanted and slots.take(kind):
                actions.append(create(sight, kind, "jobs wait"))
                made += 1
            if made < wanted:
                self._pass_on(demand, kind)
            actions += self._ends(sight, own, self._empty[kind.name])
        return plan(sight, actions)

    def _pass_on(self, demand: dict[str, list[Demand]], kind: Flavour) -> None:
        """A full entry's jobs count for the next that holds them."""
        rest = self._kinds[self._kinds.index(kind) + 1 :]
        for one in demand[kind.name]:
            following = next((other for other in rest if one.size.fits(other.size)), None)
            if following is not None:
                demand[following.name].append(one)

    def _ends(self, sight: Sight, own: Sequence[Seen], empty: int) -> list[Action]:
        actions = []
        for one in own:
            if one.is_coming and empty >= CALLED_OFF:
                actions.append(remove(one, "nothing waits for it"))
            elif one.is_idle and (empty >= ENDED or one.idle_s(sight.now) >= LONGEST_IDLE_S):
                actions.append(remove(one, "idle"))
        return actions


def wanted_on_their_way(waiting: int, own: Sequence[Seen], kind: Flavour, free_in_all: int) -> int:
    """Machines of this kind that may be on their way at once."""
    free = sum(_free_cores(one) for one in own)
    missing = max(0, waiting - free) / kind.size.cpus
    if not missing or free >= IDLE_MOST or free_in_all >= IDLE_TOTAL_MOST:
        return 0
    curbs = (free > IDLE_CURB) + (free_in_all > IDLE_TOTAL_CURB)
    return math.ceil(missing / (ATTENUATION << curbs))


def _free_cores(one: Seen) -> int:
    return one.point.free.cpus if one.point and one.point.free.memory_mib >= UNUSABLE_MIB else 0
