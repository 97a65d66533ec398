"""Loads and sights for the tests of the simulator."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from builders import NOON, a_size, a_snapshot
from builders_scaler import some_names

from prominence.core.machines import CloudStatus, Flavour, Size, Wish, Worker, WorkerPhase, WorkerRequest
from prominence.core.snapshot import Demand, ExecutePoint
from prominence.scaler.policy import Policy
from prominence.scaler.simulate.load import Cloud, Job, Load
from prominence.scaler.simulate.outcome import Outcome
from prominence.scaler.simulate.run import simulate
from prominence.scaler.simulate.strategies import strategy
from prominence.scaler.simulate.strategy import Sight

GIB = 1024
DISK = 1000 * GIB


def a_kind(cores: int = 16, gib: int = 64, price: float = 1.0, **changes: Any) -> Flavour:
    """A kind of machine."""
    size = Size(cpus=cores, memory_mib=gib * GIB, disk_mib=DISK, gpus=changes.pop("gpus", 0))
    return Flavour(**{"cloud": "one", "name": f"kind-{cores}", "size": size, "price": price, **changes})


def a_simulated_job(number: int = 1, submitted_s: float = 0, runtime_s: float = 600, **changes: Any) -> Job:
    """A job of one core."""
    return Job(number, submitted_s, runtime_s, changes.pop("size", a_size()), changes.pop("user", "ann"), **changes)


def a_load(jobs: Iterable[Job], *kinds: Flavour, limit: int = 100, **cloud: Any) -> Load:
    """On one cloud whose machines boot in a minute, more or less."""
    flavours = kinds or (a_kind(),)
    clouds = (Cloud("one", flavours, limit, **{"boot_s": 60, **cloud}),)
    return Load("test", tuple(jobs), clouds, tuple(flavour.name for flavour in flavours))


def run_of(load: Load, name: str = "ours", seed: int = 1, **policy: Any) -> Outcome:
    """What becomes of it with this strategy."""
    rules = Policy(**{"max_workers": 100, "creations_per_round": 100, **policy})
    return simulate(load, strategy(name, load, rules, interval_s=5), seed)


def a_seen_machine(
    name: str, kind: Flavour, free: Size | None = None, since: datetime = NOON
) -> tuple[Worker, ExecutePoint | None]:
    """free: what is left on it; None: it is still coming."""
    request = WorkerRequest(size=kind.size, cloud=kind.cloud, flavour=kind.name, wish=Wish.PRESENT, reason="x", fence=0)
    phase = WorkerPhase.LAUNCHED if free is None else WorkerPhase.REGISTERED
    worker = Worker(name=name, request=request, requested_at=since, phase=phase, phase_since=since, flavour=kind)
    if free is None:
        return worker, None
    claimed = 0 if free == kind.size else 1
    return worker, ExecutePoint(
        name=name,
        cloud=kind.cloud,
        total=kind.size,
        free=free,
        claimed_slots=claimed,
        idle_since=None if claimed else since,
        last_heard_at=NOON,
    )


def a_sight(
    load: Load,
    demand: Iterable[Demand] = (),
    seen: Iterable[tuple[Worker, ExecutePoint | None]] = (),
    now: datetime = NOON,
) -> Sight:
    """What a rule looks at, whose jobs run nowhere that it could ask for."""
    seen = tuple(seen)
    clouds = tuple(CloudStatus(name=c.name, flavours=c.flavours, limit=c.limit) for c in load.clouds)
    snapshot = a_snapshot(
        taken_at=now,
        demand=tuple(demand),
        workers=tuple(worker for worker, _ in seen),
        execute_points=tuple(point for _, point in seen if point),
        clouds=clouds,
    )
    return Sight(snapshot, now, some_names(), lambda name: ())
