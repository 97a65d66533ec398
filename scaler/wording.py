"""Sentences for people, in the scaler's reasons. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prominence.core import units
from prominence.core.lifetimes import longest_ever
from prominence.core.machines import Flavour, Size
from prominence.core.placement import Area, Place
from prominence.scaler.packing import Wanted

_MOST_NAMES = 10
"""That are told in one sentence."""


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


def brief(flavours: Iterable[Flavour]) -> str:
    """How long a job may run on the one of these that is there for longest."""
    flavour = max(flavours, key=lambda f: (f.lifetime_s or 0, f.cloud, f.region, f.name))
    longest = units.plainly(longest_ever(flavour.lifetime_s or 0) // 60 * 60)
    return f"on {flavour.name}, which is there for longest, a job's walltime can be {longest} at most"


def unmet(parts: Sequence[str]) -> str:
    """Of what a job requires the parts that no machine has."""
    return f"no machine here has what the job requires: {' and '.join(parts) or 'all of it together'}"


def where(area: Area) -> str:
    """ "on cloud one or two, in region north" """
    parts = [f"on cloud {_or(area.sites)}"] if area.sites else []
    return ", ".join([*parts, *([f"in region {_or(area.regions)}"] if area.regions else [])])


def missing(area: Area, places: Iterable[Place]) -> str:
    """Which of the names that a job must have is nobody's, and whose there are."""
    places = tuple(places)
    right = [place for place in places if not area.sites or place.cloud in area.sites]
    if not right:
        return f"there is no cloud named {_or(area.sites)}{_only(place.cloud for place in places)}"
    if not area.regions:
        return f"cloud {_or(area.sites)} offers no machine"
    of = f"cloud {_or(area.sites)}" if area.sites else "any cloud"
    return f"there is no region named {_or(area.regions)} of {of}{_only(place.region for place in right)}"


def closed(clouds: Sequence[str], group: str) -> str:
    """That no cloud is left for a job, as these are for other groups."""
    whose = f"group {group}" if group else "jobs of no group"
    return f"cloud {_or(clouds)} is not open to {whose}"


def _or(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def _only(names: Iterable[str]) -> str:
    """ ", only north, south" """
    there = sorted({name for name in names if name})
    more = ", ..." if len(there) > _MOST_NAMES else ""
    return f", only {', '.join(there[:_MOST_NAMES])}{more}" if there else ""


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


def whose(shares: Iterable[tuple[Wanted, int]]) -> str:
    """ "3 waiting jobs of alice and bob" """
    users, total = set(), 0
    for wanted, count in shares:
        if count:
            users.add(wanted.user or "somebody")
            total += count
    named = " and ".join(sorted(users)) if len(users) < 3 else f"{len(users)} users"
    return f"{jobs(total)} of {named}"
