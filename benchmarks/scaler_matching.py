"""How long it takes to find out which machines meet what waiting jobs require.

scaler.match.*: seconds of one call of the matcher, for so many kinds of jobs, on 20 clouds with 50 flavours each, with
5,000 workers there. A scaler that has just begun knows no answer yet (`first`); in later rounds it knows them all.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from statistics import median

from benchmarks import scaler_load
from benchmarks.harness import Row, figure
from prominence.core import classads
from prominence.core.snapshot import Ad, Demand
from prominence.scaler.adapters.classads import evaluate
from prominence.scaler.matching import Matcher

KINDS = {"300": 300, "3k": 3_000}
CLOUDS, FLAVOURS, WORKERS, USERS = 20, 50, 5_000, 30
CALLS = 5

_STORAGE = f"TARGET.{classads.STORAGE}"
_RUNTIMES = f"TARGET.{classads.RUNTIMES}"
_DIFFERENT = (
    f'{_RUNTIMES} isnt "process"',
    f'({_RUNTIMES} is undefined || stringListMember("docker",{_RUNTIMES}))',
    f'stringListMember("s3",{_STORAGE}) is true',
    f'stringListMember("onedata",{_STORAGE}) is true',
)
_OF_A_WORKER = {
    "Arch": '"X86_64"',
    "OpSys": '"LINUX"',
    "HasFileTransfer": "true",
    classads.RUNTIMES: '"docker apptainer"',
    classads.STORAGE: '"webdav s3"',
    classads.START: "true",
}


def of_kinds(name: str) -> list[Row]:
    """Seconds for so many kinds of jobs."""
    first, later = [], []
    for _ in range(CALLS):
        chance = random.Random(random.random())
        clouds = scaler_load.clouds(chance, CLOUDS, FLAVOURS)
        flavours = [flavour for cloud in clouds for flavour in cloud.flavours]
        demand = scaler_load.queue(chance, "memory", KINDS[name] * 100, KINDS[name])
        demand = tuple(_requiring(one, number) for number, one in enumerate(demand))
        workers, points = scaler_load.pool(chance, clouds, WORKERS)
        ads = {point.name: _ad(point.name, point.cloud) for point in points}
        matcher, seconds = Matcher(evaluate), []
        for _ in range(4):
            began = time.perf_counter()
            found = matcher.match(demand, points, ads, flavours, workers, scaler_load.NOW)
            seconds.append(time.perf_counter() - began)
        assert any(one.placement.kinds is not None for one in found.demand)
        first.append(seconds[0])
        later.append(median(seconds[1:]))
    return [figure(f"scaler.match.{name}.first", first), figure(f"scaler.match.{name}", later)]


def _requiring(one: Demand, number: int) -> Demand:
    """As jobs of the API do."""
    user = f"user-{number % USERS}-0123456789abcdef0123456789abcdef@{classads.OWNER_DOMAIN}"
    identity = f"TARGET.{classads.AUTHENTICATED_IDENTITY}"
    clauses = (
        f'(regexp("^[^@]+@{classads.WORKER_DOMAIN}$",{identity}) || {identity} is "{user}")',
        f"(isUndefined(MY.{classads.SITES}) || stringListMember(TARGET.{classads.CLOUD},MY.{classads.SITES}) is true)",
        _DIFFERENT[number % len(_DIFFERENT)],
        '(TARGET.Arch == "X86_64") && (TARGET.OpSys == "LINUX") && (TARGET.HasFileTransfer)',
        "(TARGET.Disk >= RequestDisk) && (TARGET.Memory >= RequestMemory)",
    )
    ad = {
        classads.REQUIREMENTS: " && ".join(clauses),
        classads.REQUEST_MEMORY: str(one.size.memory_mib),
        classads.REQUEST_DISK: str(one.size.disk_mib * 1024),
        classads.REQUIRES: f'"{number % USERS}"',
    }
    return one.model_copy(update={"ad": tuple(sorted(ad.items()))})


def _ad(name: str, cloud: str) -> Ad:
    own = {
        classads.AUTHENTICATED_IDENTITY: f'"{name}@{classads.WORKER_DOMAIN}"',
        classads.CLOUD: f'"{cloud}"',
    }
    return tuple({**_OF_A_WORKER, **own}.items())


def _of(name: str) -> Callable[[], list[Row]]:
    return lambda: of_kinds(name)


MEASUREMENTS = {f"scaler.match.{name}": _of(name) for name in KINDS}
