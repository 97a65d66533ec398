"""First fit with consolidation of machines that work, as Karpenter does unless it is told to leave jobs alone.

While nothing waits: the machines with the fewest jobs first, as many of up to 100 as can give their jobs to the others
and to one new, cheaper machine; where there are no two, any single one. What is found is done if it still holds 15 s
later: the new machine is made first, then the old ones go, and their jobs begin anew elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from prominence.core.machines import Flavour
from prominence.core.scaling import Act, Action, ScalingPlan
from prominence.core.snapshot import Demand
from prominence.scaler.simulate.load import Load
from prominence.scaler.simulate.peers.first_fit import LOOKED_TWICE_S, FirstFit, pack, rooms_of
from prominence.scaler.simulate.peers.seen import Seen, create, machines, plan, remove
from prominence.scaler.simulate.strategy import Sight

MOST_TOGETHER = 100


class Consolidating(FirstFit):
    """Remembers what it found in the round before, and which machines wait for the one that replaces them."""

    name = "consolidating"
    is_steady = False

    def __init__(self, load: Load) -> None:
        super().__init__(load)
        self._prices = {flavour.name: flavour.price for flavour in load.flavours}
        self._found: tuple[frozenset[str], datetime] | None = None
        self._replaced: dict[str, frozenset[str]] = {}

    def plan(self, sight: Sight) -> ScalingPlan:
        actions = list(super().plan(sight).actions)
        actions += self._finished(sight)
        if sight.snapshot.demand or self._replaced or actions:
            self._found = None
            return plan(sight, actions)
        return plan(sight, self._consolidate(sight))

    def _finished(self, sight: Sight) -> list[Action]:
        """Machines whose successor is there."""
        there = {one.name: one for one in machines(sight.snapshot)}
        actions = []
        for successor, names in list(self._replaced.items()):
            if successor not in there:
                del self._replaced[successor]
            elif not there[successor].is_coming:
                del self._replaced[successor]
                actions += [remove(there[name], "consolidated") for name in sorted(names) if name in there]
        return actions

    def _consolidate(self, sight: Sight) -> list[Action]:
        found = self._search(sight)
        if found is None:
            self._found = None
            return []
        old, flavour = found
        names = frozenset(one.name for one in old)
        if self._found is None or self._found[0] != names:
            self._found = (names, sight.now)
        if (sight.now - self._found[1]).total_seconds() < LOOKED_TWICE_S:
            return []
        self._found = None
        if flavour is None:
            return [remove(one, "its jobs fit on others") for one in old]
        action = create(sight, flavour, f"cheaper than {len(old)} machines")
        self._replaced[action.worker] = names
        assert action.act is Act.CREATE
        return [action]

    def _search(self, sight: Sight) -> tuple[Sequence[Seen], Flavour | None] | None:
        there = [one for one in machines(sight.snapshot) if one.is_claimed]
        there.sort(key=lambda one: (len(sight.running(one.name)), one.name))
        low, high = 1, min(MOST_TOGETHER, len(there))
        best = None
        while low < high:
            middle = (low + high + 1) // 2
            found = self._try(sight, there[:middle])
            if found is None:
                high = middle - 1
            else:
                low, best = middle, found
        return best or next((found for one in there if (found := self._try(sight, [one]))), None)

    def _try(self, sight: Sight, old: Sequence[Seen]) -> tuple[Sequence[Seen], Flavour | None] | None:
        """Whether the others and one cheaper machine can do without these."""
        names = {one.name for one in old}
        jobs = Counter(size for one in old for size in sight.running(one.name))
        demand = [Demand(size=size, user="", jobs=count) for size, count in jobs.items()]
        rooms = [room for room in rooms_of(sight.snapshot) if room.machine.name not in names]
        claims = pack(demand, rooms, self._open(sight))
        if sum(room.jobs for room in rooms) + sum(claim.jobs for claim in claims) < sum(jobs.values()):
            return None
        if not claims:
            return old, None
        paid = sum(self._prices[one.flavour] for one in old)
        if len(claims) == 1 and claims[0].options[0].price < paid:
            return old, claims[0].options[0]
        return None
