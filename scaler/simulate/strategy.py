"""What a scaler's rule is to the simulator: from what is seen to what is to be done, at its own intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from prominence.core.machines import Size
from prominence.core.scaling import ScalingPlan
from prominence.core.snapshot import PoolSnapshot
from prominence.scaler import waits
from prominence.scaler.decide import decide
from prominence.scaler.policy import Policy


@dataclass(frozen=True)
class Sight:
    """What a rule may look at. names: of new workers. running: the sizes of the jobs on a worker, for rules that move
    jobs."""

    snapshot: PoolSnapshot
    now: datetime
    names: Iterator[str]
    running: Callable[[str], Sequence[Size]]


class Strategy(Protocol):
    """interval_s: from one round to the next. wakes: a new job brings the next round on.

    dedicated: its machines are for one job each, and offer no more than what was asked for. is_steady: while nothing
    happens and nothing is idle it has nothing new to say, so that its rounds need not be done.
    """

    name: str
    interval_s: float
    wakes: bool
    dedicated: bool
    is_steady: bool

    def plan(self, sight: Sight) -> ScalingPlan:
        """What is to be done."""


class Ours:
    """The scaler's own rule, the very function that the service calls."""

    wakes = True
    dedicated = False
    is_steady = True

    def __init__(self, policy: Policy, interval_s: float, name: str = "ours") -> None:
        self.name = name
        self.interval_s = interval_s
        self._policy = policy
        self._last_seen: PoolSnapshot | None = None

    def plan(self, sight: Sight) -> ScalingPlan:
        snapshot, patience = sight.snapshot, self._policy.patience
        if patience:
            # As observe does, which peers' rules have no use for.
            since = waits.seen(snapshot.demand, self._last_seen, sight.now, patience)
            self._last_seen = snapshot = snapshot.model_copy(update={"seen_waits": since})
        return decide(snapshot, self._policy, sight.now, sight.names)
