"""Sizes and places as numbers in arrays, for what is done with many of them at once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from prominence.core.machines import Size
from prominence.core.placement import Place, Placement

Numbers = NDArray[np.int64]
Reals = NDArray[np.float64]
Yes = NDArray[np.bool_]

KINDS = 4
"""Of room: cores, memory, disk, GPUs."""

AMOUNTS = attrgetter("cpus", "memory_mib", "disk_mib", "gpus")
"""Of a size, in the order of a row."""

_MOST = 1 << 60


def rooms(sizes: Iterable[Size]) -> Numbers:
    """A row for each."""
    return _array(list(map(AMOUNTS, sizes)))


def needs(sizes: Iterable[Size]) -> Numbers:
    """A row for each. A job that asks for no core needs a machine with one all the same."""
    found = rooms(sizes)
    np.maximum(found[:, 0], 1, out=found[:, 0])
    return found


def size(row: Sequence[int]) -> Size:
    """What a row says."""
    cpus, memory_mib, disk_mib, gpus = row
    return Size(cpus=cpus, memory_mib=memory_mib, disk_mib=disk_mib, gpus=gpus)


def takes(placements: Sequence[Placement], places: Sequence[Place]) -> Yes:
    """Which job may run in which place."""
    if all(placement.is_anywhere for placement in placements):
        return np.ones((len(placements), len(places)), dtype=bool)
    seen: dict[Place, Yes] = {}
    different = {_said(placement): placement for placement in placements}
    number = {said: row for row, said in enumerate(different)}
    rows = [number[_said(placement)] for placement in placements]
    for place in places:
        if place not in seen:
            seen[place] = np.array([placement.takes(place) for placement in different.values()], dtype=bool)[rows]
    if not places:
        return np.zeros((len(placements), 0), dtype=bool)
    return np.stack([seen[place] for place in places], axis=1)


def _said(placement: Placement) -> tuple[object, ...]:
    return placement.requirements, placement.kinds, placement.closed


def copies(need: Numbers, free: Numbers) -> Numbers:
    """How many of this need go into each of the rooms."""
    asked = need > 0
    found: Numbers = (free[:, asked] // need[asked]).min(axis=1)
    return found


def enough(free: Numbers, need: Sequence[int]) -> Yes:
    """In which rooms, which are columns, there is room for one more.

    Row by row, as that is several times as quick with as few rows as there are kinds of room.
    """
    first, *others = zip(free, need, strict=True)
    found: Yes = first[0] >= first[1]
    for there, needed in others:
        found &= there >= needed
    return found


def _array(rows: list[tuple[int, int, int, int]]) -> Numbers:
    try:
        found = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=KINDS * len(rows))
    except OverflowError:  # what somebody asks for in jest is more than an array holds
        found = np.array([min(amount, _MOST) for row in rows for amount in row], dtype=np.int64)
    return np.minimum(found, _MOST).reshape(len(rows), KINDS)
