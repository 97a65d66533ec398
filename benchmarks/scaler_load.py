"""Invented queues, clouds and pools for the scaler's figures, anew from a seed.

Prices are those of families of machines, by core and GPU, each a few per cent off; what jobs ask for is skewed as in
real queues: few cores mostly, memory with a heavy tail.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

from prominence.core.machines import CloudStatus, Flavour, Size, Worker, WorkerPhase, WorkerRequest
from prominence.core.snapshot import Demand, ExecutePoint, PoolSnapshot

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MIXES = ("cpu", "memory", "gpu", "sweep-mpi")

_FAMILIES = ((2000, 0.034, 0), (4000, 0.042, 0), (8000, 0.055, 0), (16000, 0.085, 0), (8000, 0.05, 1))
"""MiB for each core, price of a core, and whether there are GPUs."""
_CORES = (2, 4, 8, 16, 24, 32, 48, 64, 96, 128)
_OF_GPU = 0.7
_DISK_OF_CORE = 20 * 1024


def names() -> Iterator[str]:
    """Of new workers."""
    return (f"new-{number}" for number in itertools.count())


def clouds(random: Random, count: int, flavours: int) -> tuple[CloudStatus, ...]:
    """With any number of machines each. One flavour: a large machine with GPUs."""
    return tuple(
        CloudStatus(name=f"cloud-{n:02}", limit=10_000_000, flavours=_flavours(random, f"cloud-{n:02}", flavours))
        for n in range(count)
    )


def _flavours(random: Random, cloud: str, count: int) -> tuple[Flavour, ...]:
    if count == 1:
        size = Size(cpus=64, memory_mib=256_000, disk_mib=64 * _DISK_OF_CORE, gpus=8)
        return (Flavour(cloud=cloud, name="only", size=size, price=3.2),)
    kinds = itertools.islice(itertools.product(_FAMILIES, _CORES), count)
    return tuple(_flavour(random, cloud, *family, cores) for family, cores in kinds)


def _flavour(random: Random, cloud: str, memory: int, price: float, has_gpus: int, cores: int) -> Flavour:
    gpus = max(1, cores // 12) if has_gpus else 0
    size = Size(cpus=cores, memory_mib=cores * memory, disk_mib=cores * _DISK_OF_CORE, gpus=gpus)
    name = f"{'g' if gpus else 'c'}{cores}m{memory // 1000}"
    return Flavour(
        cloud=cloud, name=name, size=size, price=(cores * price + gpus * _OF_GPU) * random.uniform(0.97, 1.03)
    )


def queue(random: Random, mix: str, jobs: int, shapes: int) -> tuple[Demand, ...]:
    """So many kinds of jobs, some with many of them."""
    weights = [random.expovariate(1) for _ in range(shapes)]
    found = []
    for number, weight in enumerate(weights):
        size, nodes, rarity = _job(random, mix, number, shapes)
        count = max(1, round(jobs * weight / sum(weights) / rarity))
        found.append(Demand(size=size, user=f"user-{number}", jobs=-(-count // nodes) * nodes, nodes=nodes))
    return tuple(found)


def _job(random: Random, mix: str, number: int, shapes: int) -> tuple[Size, int, int]:
    """Of this kind: its size, its nodes, and how many times rarer it is than others."""
    disk = random.randint(1, 10) * 1024
    if mix == "cpu":
        cpus = random.randint(1, 16)
        return Size(cpus=cpus, memory_mib=cpus * random.randint(500, 2000), disk_mib=disk), 1, 1
    if mix == "memory":
        memory = min(200_000, int(500 + 2000 * (random.paretovariate(1.2) - 1)))
        return Size(cpus=random.choice((1, 1, 1, 2, 2, 4, 8)), memory_mib=memory, disk_mib=disk), 1, 1
    if mix == "gpu":
        gpus = random.choice((0, 0, 0, 1, 1, 2, 4))
        cpus = random.randint(1, 4) * gpus or random.randint(1, 8)
        return Size(cpus=cpus, memory_mib=cpus * random.randint(1000, 6000), disk_mib=disk, gpus=gpus), 1, 1
    if number * 5 < shapes * 4:
        return Size(cpus=1, memory_mib=random.randint(500, 4000), disk_mib=disk), 1, 1
    cpus = random.choice((16, 32, 48, 64))
    size = Size(cpus=cpus, memory_mib=cpus * random.randint(1000, 3000), disk_mib=disk)
    return size, random.choice((1, 2, 4)), 20


def pool(random: Random, there: tuple[CloudStatus, ...], workers: int) -> tuple[list[Worker], list[ExecutePoint]]:
    """Workers of which most are full."""
    records, points = [], []
    for number in range(workers):
        flavour = random.choice(random.choice(there).flavours)
        name, size = f"w-{number}", flavour.size
        request = WorkerRequest(size=size, cloud=flavour.cloud, flavour=flavour.name, reason="load", fence=1)
        phase = WorkerPhase.REGISTERED
        records.append(
            Worker(name=name, request=request, requested_at=NOW, phase=phase, phase_since=NOW, flavour=flavour)
        )
        share = random.choice((0, 0, 0, 0, 0.3))
        free = Size(cpus=int(size.cpus * share), memory_mib=int(size.memory_mib * share), disk_mib=size.disk_mib)
        points.append(
            ExecutePoint(
                name=name, cloud=flavour.cloud, total=size, free=free, claimed_slots=size.cpus, last_heard_at=NOW
            )
        )
    return records, points


def snapshot(
    demand: tuple[Demand, ...], there: tuple[CloudStatus, ...], seen: tuple[list[Worker], list[ExecutePoint]]
) -> PoolSnapshot:
    """All of it at noon."""
    workers, points = seen
    return PoolSnapshot(taken_at=NOW, demand=demand, clouds=there, workers=tuple(workers), execute_points=tuple(points))
