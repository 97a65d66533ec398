"""Sentences for people, in the scaler's reasons. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from prominence.core import units
from prominence.core.machines import Flavour, Size
from prominence.core.snapshot import Demand


def size(of: Size) -> str:
    """ "8 cores, 16 GB memory, 100 GB disk", and its GPUs if it has any"""
    return ", ".join((_cores(of), _memory(of), _disk(of), *([_gpus(of)] if of.gpus else [])))


def jobs(count: int) -> str:
    """ "1 waiting job", "12 waiting jobs" """
    return "1 waiting job" if count == 1 else f"{count} waiting jobs"


def nearest(wanted: Size, flavours: Iterable[Flavour]) -> str:
    """Which flavour comes nearest to what a job asks for, and what it lacks."""
    flavour = min(flavours, key=lambda f: (*_lack(wanted, f.size), f.cloud, f.region, f.name))
    lacking = [
        text(wanted)
        for asked, there, text in (
            (max(1, wanted.cpus), flavour.size.cpus, _cores),
            (wanted.memory_mib, flavour.size.memory_mib, _memory),
            (wanted.disk_mib, flavour.size.disk_mib, _disk),
            (wanted.gpus, flavour.size.gpus, _gpus),
        )
        if asked > there
    ]
    return f"the nearest is {flavour.name} with {size(flavour.size)}; the job asks for {' and '.join(lacking)}"


def _lack(wanted: Size, there: Size) -> tuple[int, float]:
    """How far a flavour is from a job: of how many things it has too little, and the worst of them."""
    ratios = [
        wanted.cpus / max(1, there.cpus),
        wanted.memory_mib / max(1, there.memory_mib),
        wanted.disk_mib / max(1, there.disk_mib),
        wanted.gpus / there.gpus if there.gpus else 2.0 * wanted.gpus,
    ]
    return sum(ratio > 1 for ratio in ratios), max(ratios)


def _cores(of: Size) -> str:
    return "1 core" if of.cpus == 1 else f"{of.cpus} cores"


def _gpus(of: Size) -> str:
    return "1 GPU" if of.gpus == 1 else f"{of.gpus} GPUs"


def _memory(of: Size) -> str:
    return f"{units.memory_gb(of.memory_mib):g} GB memory"


def _disk(of: Size) -> str:
    return f"{units.disk_gb(units.kib(of.disk_mib)):g} GB disk"


def whose(shares: Iterable[tuple[Demand, int]]) -> str:
    """ "3 waiting jobs of alice and bob" """
    shares = [(demand, count) for demand, count in shares if count]
    users = sorted({demand.user or "somebody" for demand, _ in shares})
    named = " and ".join(users) if len(users) < 3 else f"{len(users)} users"
    return f"{jobs(sum(count for _, count in shares))} of {named}"
