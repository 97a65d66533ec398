"""Where the jobs of a workflow stand in a drawing: in layers, each job behind those it waits for. Pure.

Sugiyama's way in its plainest form. A line that leads past a layer has a place of its own in it, so that it crosses no
job; within a layer everything stands near what it is joined to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

SWEEPS = 4
"""How often all layers are put in order: more make it seldom better."""

Spot = tuple[str, int]
"""A job's name and a layer: its own, or one that lines from it lead past."""


@dataclass(frozen=True)
class Layout:
    """layers: from the first on, with what is in each in its order. lines: the spots that each line leads over."""

    layers: tuple[tuple[Spot, ...], ...]
    lines: tuple[tuple[Spot, ...], ...]
    home: Mapping[str, int]
    """The layer of each job."""


def layout(names: Sequence[str], edges: Iterable[tuple[str, str]]) -> Layout:
    """Of these jobs. edges: a job, and one that waits for it; without a circle, of jobs that are there."""
    joined = list(dict.fromkeys(edges))
    home = _homes(names, joined)
    lines = tuple(_line(parent, child, home) for parent, child in joined)
    layers: list[dict[Spot, None]] = [{} for _ in range(max(home.values(), default=-1) + 1)]
    for name in names:
        layers[home[name]][name, home[name]] = None
    for line in lines:
        for spot in line:
            layers[spot[1]][spot] = None
    return Layout(tuple(map(tuple, _ordered([list(layer) for layer in layers], lines))), lines, home)


def _homes(names: Sequence[str], edges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """As far behind the beginning as the longest way to each."""
    children: defaultdict[str, list[str]] = defaultdict(list)
    waiting = dict.fromkeys(names, 0)
    for parent, child in edges:
        children[parent].append(child)
        waiting[child] += 1
    home = dict.fromkeys(names, 0)
    ready = [name for name in names if not waiting[name]]
    for name in ready:  # which grows meanwhile
        for child in children[name]:
            home[child] = max(home[child], home[name] + 1)
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    return home


def _line(parent: str, child: str, home: Mapping[str, int]) -> tuple[Spot, ...]:
    """All lines of a job lead over the same spots, and part where the first of them has arrived."""
    return (*((parent, layer) for layer in range(home[parent], home[child])), (child, home[child]))


def _ordered(layers: list[list[Spot]], lines: Iterable[tuple[Spot, ...]]) -> list[list[Spot]]:
    before: defaultdict[Spot, set[Spot]] = defaultdict(set)
    behind: defaultdict[Spot, set[Spot]] = defaultdict(set)
    for line in lines:
        for one, other in zip(line, line[1:], strict=False):
            behind[one].add(other)
            before[other].add(one)
    for sweep in range(SWEEPS):
        onward = sweep % 2 == 0
        for number in range(1, len(layers)):
            at = number if onward else len(layers) - 1 - number
            beside = layers[at - 1] if onward else layers[at + 1]
            place = {spot: index / max(1, len(beside) - 1) for index, spot in enumerate(beside)}
            near = before if onward else behind
            layers[at] = _by_neighbours(layers[at], near, place)
    return layers


def _by_neighbours(layer: list[Spot], near: Mapping[Spot, set[Spot]], place: Mapping[Spot, float]) -> list[Spot]:
    """Each at the mean of its neighbours' places; who has none stays where it is."""
    own = {spot: index / max(1, len(layer) - 1) for index, spot in enumerate(layer)}

    def mean(spot: Spot) -> float:
        found = [place[one] for one in near.get(spot, ())]
        return sum(found) / len(found) if found else own[spot]

    return sorted(layer, key=mean)
