"""What the rules of others have in common: the pool as they see it, and what they ask for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from prominence.core.machines import Flavour, Size, Wish, Worker, WorkerPhase
from prominence.core.scaling import Act, Action, ScalingPlan
from prominence.core.snapshot import Demand, ExecutePoint, PoolSnapshot
from prominence.scaler.simulate.load import Load
from prominence.scaler.simulate.strategy import Sight


@dataclass(frozen=True)
class Seen:
    """A machine that is there or coming, and wanted."""

    worker: Worker
    point: ExecutePoint | None

    @property
    def name(self) -> str:
        return self.worker.name

    @property
    def flavour(self) -> str:
        return self.worker.request.flavour

    @property
    def is_coming(self) -> bool:
        return self.point is None

    @property
    def is_idle(self) -> bool:
        return self.point is not None and self.point.claimed_slots == 0

    @property
    def is_claimed(self) -> bool:
        return self.point is not None and self.point.claimed_slots > 0

    def idle_s(self, now: datetime) -> float:
        """How long it has run nothing."""
        since = self.point.idle_since if self.point else None
        return (now - since).total_seconds() if since else 0.0


def machines(snapshot: PoolSnapshot) -> list[Seen]:
    """All that count for what is ordered next."""
    points = {point.name: point for point in snapshot.execute_points or ()}
    return [
        Seen(worker, points.get(worker.name))
        for worker in snapshot.workers or ()
        if not worker.phase.is_over and worker.request.wish is Wish.PRESENT
    ]


class Slots:
    """How many more machines each cloud takes."""

    def __init__(self, snapshot: PoolSnapshot) -> None:
        self._left = {cloud.name: cloud.limit for cloud in snapshot.clouds or ()}
        for worker in snapshot.workers or ():
            if not worker.phase.is_over:
                self._left[worker.request.cloud] -= 1

    def has(self, flavour: Flavour) -> bool:
        """Whether there is one."""
        return self._left[flavour.cloud] > 0

    def take(self, flavour: Flavour) -> bool:
        """Whether there was one."""
        if self._left[flavour.cloud] < 1:
            return False
        self._left[flavour.cloud] -= 1
        return True


def create(sight: Sight, flavour: Flavour, reason: str, size: Size | None = None) -> Action:
    """One more machine."""
    return Action(
        act=Act.CREATE,
        worker=next(sight.names),
        reason=reason,
        size=size or flavour.size,
        cloud=flavour.cloud,
        flavour=flavour.name,
    )


def remove(seen: Seen, reason: str, act: Act = Act.DELETE) -> Action:
    """One machine less."""
    return Action(act=act, worker=seen.name, reason=reason, size=seen.worker.request.size)


def drained(snapshot: PoolSnapshot) -> list[Action]:
    """Machines that were drained and run nothing more: they go."""
    busy = {point.name for point in snapshot.execute_points or () if point.claimed_slots}
    return [
        remove(Seen(worker, None), "drained")
        for worker in snapshot.workers or ()
        if worker.phase is WorkerPhase.DRAINED and worker.request.wish is Wish.DRAINED and worker.name not in busy
    ]


def plan(sight: Sight, actions: Iterable[Action]) -> ScalingPlan:
    """What a round comes to."""
    return ScalingPlan.model_construct(made_at=sight.now, actions=tuple(actions), explanations=(), notes=())


def standard(load: Load) -> tuple[Flavour, ...]:
    """The few kinds of machines that an operator would choose, in the order in which they are tried."""
    by_name = {flavour.name: flavour for flavour in load.flavours}
    return tuple(by_name[name] for name in load.standard) or tuple(sorted(load.flavours, key=lambda f: f.price))


def by_kind(demand: Sequence[Demand], kinds: Sequence[Flavour]) -> dict[str, list[Demand]]:
    """Demand by the first kind that holds it."""
    found: dict[str, list[Demand]] = {kind.name: [] for kind in kinds}
    for one in demand:
        kind = next((kind for kind in kinds if one.size.fits(kind.size)), None)
        if kind is not None:
            found[kind.name].append(one)
    return found
