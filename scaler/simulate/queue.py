"""The queue, and who gets which room: as HTCondor's schedd and negotiator do it, without their daemons.

Idle jobs that are alike form an auto-cluster. The user with the fewest cores in use comes next, with the oldest job; it
goes to the fullest machine that holds it. What did not fit in one cycle is tried again only where something changed.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from prominence.core.machines import Size
from prominence.core.snapshot import Demand
from prominence.scaler.simulate.load import Job
from prominence.scaler.simulate.machine import Amounts, Machine, amounts


@dataclass(eq=False)
class AutoCluster:
    """Jobs that are alike. is_fresh: not all machines have been tried for it."""

    key: tuple[Size, str, str, int]
    needed: Amounts
    jobs: deque[Job] = field(default_factory=deque)
    is_fresh: bool = True
    _demand: Demand | None = None

    def demand(self) -> Demand:
        """As the scaler sees it."""
        size, user, group, nodes = self.key
        count = len(self.jobs) * nodes
        if self._demand is None or self._demand.jobs != count:
            self._demand = Demand(size=size, user=user, group=group, jobs=count, nodes=nodes)
        return self._demand


class Queue:
    """Idle jobs, and the cores in use by user."""

    def __init__(self) -> None:
        self._clusters: dict[tuple[Size, str, str, int], AutoCluster] = {}
        self._in_use: dict[str, int] = defaultdict(int)

    def __len__(self) -> int:
        return sum(len(cluster.jobs) for cluster in self._clusters.values())

    def add(self, job: Job, first: bool = False) -> None:
        """first: it has been running already."""
        cluster = self._cluster(job)
        cluster.is_fresh = cluster.is_fresh or not cluster.jobs
        if first:
            cluster.jobs.appendleft(job)
        else:
            cluster.jobs.append(job)

    def demand(self) -> tuple[Demand, ...]:
        """Of all idle jobs."""
        return tuple(cluster.demand() for cluster in self._clusters.values() if cluster.jobs)

    def next_like(self, job: Job) -> Job | None:
        """For the claim that this job leaves: the oldest job of its auto-cluster."""
        cluster = self._cluster(job)
        return cluster.jobs.popleft() if cluster.jobs and job.nodes == 1 else None

    def use(self, job: Job, times: int) -> None:
        """1: the job starts, -1: it has ended."""
        self._in_use[job.user] += times * job.nodes * job.size.cpus

    def cycle(
        self,
        changed: Collection[Machine],
        machines: Iterable[Machine],
        start: Callable[[Job, list[Machine]], None],
    ) -> None:
        """Start what fits. changed: machines with more room than in the last cycle; machines: all that take jobs."""
        waiting: dict[str, list[tuple[int, AutoCluster]]] = defaultdict(list)
        for cluster in self._clusters.values():
            if cluster.jobs:
                waiting[cluster.key[1]].append((cluster.jobs[0].number, cluster))
        if not waiting:
            return
        places = _Places(changed, machines)
        for heads in waiting.values():
            heads.sort(key=lambda head: head[0])
        users = [(self._in_use[user], user) for user in sorted(waiting)]
        heapq.heapify(users)
        while users:
            _, user = heapq.heappop(users)
            if self._start_one(waiting[user], places, start):
                heapq.heappush(users, (self._in_use[user], user))
        for cluster in self._clusters.values():
            cluster.is_fresh = False

    def _start_one(
        self,
        heads: list[tuple[int, AutoCluster]],
        places: _Places,
        start: Callable[[Job, list[Machine]], None],
    ) -> bool:
        while heads:
            cluster = heads[0][1]
            found = places.find(cluster)
            if not found:
                heads.pop(0)
                continue
            job = cluster.jobs.popleft()
            start(job, found)
            heads.pop(0)
            if cluster.jobs:
                _insert(heads, (cluster.jobs[0].number, cluster))
            return True
        return False

    def _cluster(self, job: Job) -> AutoCluster:
        key = (job.size, job.user, job.group, job.nodes)
        found = self._clusters.get(key)
        if found is None:
            found = self._clusters[key] = AutoCluster(key, amounts(job.size))
        return found


class _Places:
    """Machines in the order in which one cycle tries them; each auto-cluster goes on where it was."""

    def __init__(self, changed: Collection[Machine], machines: Iterable[Machine]) -> None:
        self._all = sorted(machines, key=lambda machine: machine.rank)
        self._changed = sorted((m for m in changed if m.takes_jobs), key=lambda machine: machine.rank)
        self._tried: dict[AutoCluster, int] = defaultdict(int)

    def find(self, cluster: AutoCluster) -> list[Machine]:
        """The machine of each node of the next job, none where not all fit."""
        nodes = cluster.key[3]
        if nodes > 1:
            return self._find_together(cluster.needed, nodes)
        candidates = self._all if cluster.is_fresh else self._changed
        for number in range(self._tried[cluster], len(candidates)):
            if candidates[number].holds(cluster.needed):
                self._tried[cluster] = number
                return [candidates[number]]
        self._tried[cluster] = len(candidates)
        return []

    def _find_together(self, needed: Amounts, nodes: int) -> list[Machine]:
        found: list[Machine] = []
        for machine in self._all:
            found += [machine] * min(machine.copies(needed), nodes - len(found))
            if len(found) == nodes:
                return found
        return []


def _insert(heads: list[tuple[int, AutoCluster]], head: tuple[int, AutoCluster]) -> None:
    """Keep them sorted by the number of the oldest job."""
    low = 0
    while low < len(heads) and heads[low][0] < head[0]:
        low += 1
    heads.insert(low, head)
