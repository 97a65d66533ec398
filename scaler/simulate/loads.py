"""The shipped loads: each made anew from a seed. No two seeds give the same jobs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from random import Random

from prominence.core.machines import Size
from prominence.scaler.simulate import lublin
from prominence.scaler.simulate.load import DAY_S, HOUR_S, Job, Load, numbered
from prominence.scaler.simulate.offers import GIB, STANDARD, own_cloud, public_cloud

MOST_CORES = 32
"""Of one node: what needs more processors runs on several."""

_USERS = 12


def day(chance: Random) -> Load:
    """A day of Lublin's and Feitelson's batch jobs, up to 32 cores each."""
    jobs = [job for rigid in lublin.jobs(chance, DAY_S, rate=25) if (job := _rigid(chance, rigid)).nodes == 1]
    return _load("day", jobs)


def sweeps(chance: Random) -> Load:
    """Parameter sweeps: now and then 20 to 2,000 small jobs that are alike, in working hours."""
    return _load("sweeps", list(_sweeps(chance, count=12, most=2000)))


def memory(chance: Random) -> Load:
    """Small jobs in cores with a heavy tail in memory."""
    jobs = []
    for submitted_s in _poisson(chance, 2000, DAY_S / 2):
        gib = min(480.0, 1.5 * chance.paretovariate(0.9))
        size = _size(chance.choice((1, 1, 1, 2, 4)), gib)
        jobs.append(Job(0, submitted_s, _long(chance, 1800, 1.2), size, _user(chance)))
    return _load("memory", jobs)


def gpus(chance: Random) -> Load:
    """A quarter of the jobs wants GPUs, with more or fewer cores than the machines have for each."""
    jobs = []
    for submitted_s in _poisson(chance, 1500, DAY_S / 2):
        if chance.random() < 0.25:
            count = chance.choice((1, 1, 1, 1, 2, 4))
            size = _size(chance.choice((1, 2, 4, 8)) * count, chance.choice((4, 8, 16, 24)) * count, count)
            runtime_s = _long(chance, 3600, 1.0)
        else:
            size, runtime_s = (
                _size(chance.choice((1, 2, 4, 8)), chance.choice((1, 2, 4, 8, 16))),
                _long(chance, 900, 1.2),
            )
        jobs.append(Job(0, submitted_s, runtime_s, size, _user(chance)))
    return _load("gpus", jobs)


def mixed(chance: Random) -> Load:
    """Sweeps beside jobs of several nodes, where one machine in ten is refused and one in fifty never joins."""
    jobs = list(_sweeps(chance, count=6, most=600))
    for rigid in lublin.jobs(chance, DAY_S, rate=5):
        job = _rigid(chance, rigid)
        jobs.append(Job(0, job.submitted_s, min(job.runtime_s, 6 * HOUR_S), job.size, job.user, nodes=job.nodes))
    return _load("mixed", jobs, refused=0.1, lost=0.02)


def trickle(chance: Random) -> Load:
    """A short job now and then: what is idle costs more than what works."""
    jobs = [
        Job(0, submitted_s, _long(chance, 240, 0.8), _size(chance.choice((1, 2, 4)), chance.choice((1, 2, 4))), "ann")
        for submitted_s in _poisson(chance, 200, DAY_S)
    ]
    return _load("trickle", jobs)


LOADS: Mapping[str, Callable[[Random], Load]] = {
    made.__name__: made for made in (day, sweeps, memory, gpus, mixed, trickle)
}


def _load(name: str, jobs: list[Job], refused: float = 0.0, lost: float = 0.0) -> Load:
    return Load(name, numbered(jobs), (own_cloud(), public_cloud(refused=refused, lost=lost)), STANDARD)


def _rigid(chance: Random, rigid: lublin.Rigid) -> Job:
    nodes = math.ceil(rigid.processors / MOST_CORES)
    cores = math.ceil(rigid.processors / nodes)
    gib = cores * min(8.0, chance.lognormvariate(math.log(1.5), 0.8))
    return Job(0, rigid.submitted_s, rigid.runtime_s, _size(cores, gib), _user(chance), nodes=nodes)


def _sweeps(chance: Random, count: int, most: int) -> Iterator[Job]:
    for _ in range(count):
        begins_s = chance.uniform(8, 20) * HOUR_S
        size = _size(chance.choice((1, 1, 1, 2, 4)), chance.choice((1, 2, 3, 4, 6)))
        user, runtime_s = _user(chance), _long(chance, 1200, 0.8)
        for _ in range(round(math.exp(chance.uniform(math.log(20), math.log(most))))):
            yield Job(0, begins_s, runtime_s * chance.lognormvariate(0, 0.3), size, user)


def _poisson(chance: Random, count: int, until_s: float) -> list[float]:
    return sorted(chance.uniform(0, until_s) for _ in range(count))


def _long(chance: Random, median_s: float, sigma: float) -> float:
    return min(DAY_S, max(10.0, chance.lognormvariate(math.log(median_s), sigma)))


def _size(cores: int, gib: float, gpus: int = 0) -> Size:
    """Memory in steps of an eighth: people ask for round amounts."""
    mib = max(256.0, gib * GIB)
    step = 2 ** max(0, math.floor(math.log2(mib)) - 3)
    return Size(cpus=cores, memory_mib=int(math.ceil(mib / step) * step), disk_mib=10 * GIB, gpus=gpus)


def _user(chance: Random) -> str:
    """A few users have most of the jobs."""
    return f"user{min(_USERS, int(chance.paretovariate(0.8)))}"
