"""What imc's own work costs, without that of clouds.

imc.placement: the place of 1,000 workers among 20 clouds with 50 flavours each. imc.round: one look at 10,000 workers
that are at work. imc.creates: 500 workers on a cloud that takes a second for each and lets 20 be made at a time.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from benchmarks.harness import Goal, Row, figure
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.machines import Flavour, Size, WorkerPhase, WorkerRequest
from prominence.imc.acts import Acts, Joining
from prominence.imc.adapters.memory import Machine, MemoryCloud, MemoryPool
from prominence.imc.catalogue import Catalogue
from prominence.imc.history import History
from prominence.imc.lifecycle import Deadlines
from prominence.imc.ports import ExecutePoint, File, Node, NodeState
from prominence.imc.reconcile import Reconciler
from prominence.imc.records import Record, Records
from prominence.imc.setbacks import Setbacks
from prominence.imc.world import look

RUNS = 5
REQUESTS, CLOUDS, FLAVOURS = 1_000, 20, 50
WORKERS = 10_000
CREATES, AT_ONCE, TAKES_S = 500, 20, 1.0
JOINING = Joining(pool="bench", collector="ap", trust_domain="prominence", task_network="none")


def placement() -> list[Row]:
    """Requests of ten sizes, as a scaler makes them."""
    chance = random.Random(1)
    clouds = [_cloud(number, chance) for number in range(CLOUDS)]
    pool, records = MemoryPool(), Records(MemoryKeyValue())
    sizes = [Size(cpus=n, memory_mib=2000 * n, disk_mib=0) for n in range(1, 11)]
    requests = [_request(sizes[number % len(sizes)]) for number in range(REQUESTS)]
    world, now = look(clouds, pool), datetime.now(UTC)

    def once() -> None:
        catalogue = Catalogue({cloud.name: cloud for cloud in clouds}, Setbacks(), History())
        catalogue.update(world, records.all().records, now)
        for number, request in enumerate(requests):
            name = f"worker-{number}"
            offer = catalogue.first_offer(request, catalogue.views(now, name))
            assert offer is not None
            catalogue.occupy(offer, name)

    return [figure("imc.placement", [_seconds(once) for _ in range(RUNS)], Goal(figure=0.2))]


def rounds() -> list[Row]:
    """Nothing is to be done: what it costs to see that."""
    flavour = _flavour("cloud", "small", 2, 1.0)
    cloud, pool, now = MemoryCloud("cloud", [flavour], WORKERS), MemoryPool(), datetime.now(UTC)
    store = MemoryKeyValue()
    records = Records(store)
    for number in range(WORKERS):
        name = f"worker-{number}"
        request = _request(Size(cpus=2, memory_mib=4000, disk_mib=0))
        phase = WorkerPhase.REGISTERED
        records.add(
            Record(
                name=name, request=request, requested_at=now, phase=phase, phase_since=now, flavour=flavour, attempts=1
            )
        )
        cloud.machines[name] = Machine(Node(name, NodeState.RUNNING), flavour)
        pool.points[name] = ExecutePoint(claimed_slots=1, draining=False)
    with ThreadPoolExecutor(1) as threads:
        reconciler = Reconciler(_acts(records, cloud, pool), Deadlines(), threads)
        samples = [_seconds(reconciler.round) for _ in range(RUNS)]
    return [figure("imc.round", samples, Goal(figure=1.0))]


def creates() -> list[Row]:
    """Until all are made; the ideal is 25 s."""
    flavour = _flavour("cloud", "small", 2, 1.0)
    cloud, pool, records = _Slow("cloud", [flavour], CREATES), MemoryPool(), Records(MemoryKeyValue())
    now, news = datetime.now(UTC), threading.Event()
    for number in range(CREATES):
        request = _request(Size(cpus=2, memory_mib=4000, disk_mib=0))
        records.add(Record(name=f"worker-{number}", request=request, requested_at=now, phase_since=now))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        reconciler = Reconciler(_acts(records, cloud, pool), Deadlines(), threads, news.set)

        def until_all_are_made() -> None:
            while len(cloud.machines) < CREATES:
                news.clear()
                reconciler.round()
                news.wait(2)

        took = _seconds(until_all_are_made)
    return [figure("imc.creates", [took], Goal(figure=1.2 * CREATES * TAKES_S / AT_ONCE))]


class _Slow(MemoryCloud):
    """Each machine takes a while."""

    def create(self, name: str, flavour: Flavour, files: Sequence[File]) -> None:
        time.sleep(TAKES_S)
        super().create(name, flavour, files)


def _acts(records: Records, cloud: MemoryCloud, pool: MemoryPool) -> Acts:
    return Acts(records, {cloud.name: cloud}, pool, JOINING, lambda: datetime.now(UTC))


def _cloud(number: int, chance: random.Random) -> MemoryCloud:
    cloud = f"cloud-{number}"
    flavours = tuple(
        _flavour(cloud, f"flavour-{index}", chance.randrange(1, 65), chance.random()) for index in range(FLAVOURS)
    )
    return MemoryCloud(cloud, flavours, 80)


def _flavour(cloud: str, name: str, cpus: int, price: float) -> Flavour:
    return Flavour(cloud=cloud, name=name, size=Size(cpus=cpus, memory_mib=2000 * cpus, disk_mib=20_000), price=price)


def _request(size: Size) -> WorkerRequest:
    return WorkerRequest(size=size, reason="a benchmark", fence=0)


def _seconds(act: object) -> float:
    assert callable(act)
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


MEASUREMENTS = {"imc.placement": placement, "imc.round": rounds, "imc.creates": creates}
