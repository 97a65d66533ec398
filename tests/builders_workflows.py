"""Workflows by chance, with what must become of them: which nodes, and which of them wait for which."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

from builders import job_json

MOST_NODES = 2000
MOST_EDGES = 30_000
MOST_JOBS = 60

Edge = tuple[str, str]

_LETTERS = "ab09_./ -"
"""Of names: many are the beginnings of others, and some look like an instance of another."""


@dataclass(frozen=True)
class Drawn:
    """A workflow as a user writes it. instances: of each of its jobs. waits: a job, and one that waits for it."""

    document: dict[str, Any]
    instances: tuple[int, ...]
    waits: tuple[tuple[int, int], ...]

    def nodes(self) -> list[str]:
        """The nodes that there must be."""
        return [f"n{job}_{index}" for job, count in enumerate(self.instances) for index in range(count)]

    def edges(self) -> Counter[Edge]:
        """A node, and one that waits for it; each once."""
        return Counter(
            (f"n{parent}_{before}", f"n{child}_{after}")
            for parent, child in self.waits
            for before, after in product(range(self.instances[parent]), range(self.instances[child]))
        )


def drawn(chance: Random, most_nodes: int = MOST_NODES, most_jobs: int = MOST_JOBS) -> Drawn:
    """Any workflow of at most so many nodes."""
    names = _names(chance, chance.randint(1, min(most_jobs, most_nodes)))
    factories, instances = _factories(chance, names, most_nodes)
    waits, left = [], MOST_EDGES
    order = chance.sample(range(len(names)), len(names))  # which may wait for those before them
    for place, child in enumerate(order):
        for parent in chance.sample(order[:place], chance.randint(0, min(place, 4))):
            left -= instances[parent] * instances[child]
            if left >= 0:
                waits.append((parent, child))
    dependencies: dict[str, list[str]] = {}
    for parent, child in waits:
        dependencies.setdefault(names[parent], []).append(names[child])
    jobs = [job_json(name=name) for name in names]
    document = {"name": "drawn", "jobs": jobs, "dependencies": dependencies, "factories": factories}
    return Drawn(document, tuple(instances), tuple(waits))


def nodes_in(dag: str) -> list[str]:
    """Of a DAG file, in its order."""
    return re.findall(r"^JOB (\S+) ", dag, re.MULTILINE)


def edges_in(dag: str) -> Counter[Edge]:
    """Of a DAG file, and how often each is said."""
    found: Counter[Edge] = Counter()
    for parents, children in re.findall(r"^PARENT (.*) CHILD (.*)$", dag, re.MULTILINE):
        found.update(product(parents.split(), children.split()))
    return found


def _names(chance: Random, count: int) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        known = list(found)
        start = chance.choice(known)[:200] if known and chance.random() < 0.3 else ""
        found[start + "".join(chance.choices(_LETTERS, k=chance.randint(1, 55)))] = None
    return list(found)


def _factories(chance: Random, names: list[str], most_nodes: int) -> tuple[list[dict[str, Any]], list[int]]:
    instances, factories = [1] * len(names), []
    spare = most_nodes - len(names)
    free = chance.sample(range(len(names)), len(names))
    while free and chance.random() < 0.8:
        jobs = [free.pop() for _ in range(chance.randint(1, min(3, len(free))))]
        most = 1 + spare // len(jobs)
        factory, count = chance.choice(_KINDS)(
            chance, chance.randint(1, most if chance.random() < 0.5 else min(most, 5))
        )
        factories.append({**factory, "jobs": [names[job] for job in jobs]})
        spare -= (count - 1) * len(jobs)
        for job in jobs:
            instances[job] = count
    return factories, instances


def _repeat(chance: Random, count: int) -> tuple[dict[str, Any], int]:
    return {"type": "repeat", "number": count}, count


def _zip(chance: Random, count: int) -> tuple[dict[str, Any], int]:
    values: list[Any] = [chance.choice(["", '"', "a b", "$(x)", "é\n", 1, 0.1, True]) for _ in range(count)]
    parameters = [{"name": f"z{number}", "values": values} for number in range(chance.randint(1, 3))]
    return {"type": "zip", "parameters": parameters}, count


def _sweep(chance: Random, count: int) -> tuple[dict[str, Any], int]:
    """Of up to three parameters; at most so many instances."""
    parameters: list[dict[str, Any]] = []
    made = 1
    for number, several in enumerate(_factors(chance, count)):
        made *= several
        start, tenths = chance.randint(-9, 9), chance.randint(1, 9)
        ends = (
            {"end": start + 1, "number": several}
            if chance.random() < 0.5
            else {"end": round(start + tenths * (several - 1) / 10, 1), "step": tenths / 10}
        )
        parameters.append({"name": f"s{number}", "start": start, **ends})
    return {"type": "parameterSweep", "parameters": parameters}, made


def _factors(chance: Random, count: int) -> Iterator[int]:
    for _ in range(chance.randint(1, 3)):
        several = chance.randint(1, count)
        yield several
        count //= several


_KINDS = (_repeat, _zip, _sweep)
