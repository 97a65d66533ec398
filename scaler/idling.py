"""How long idle workers are kept: what their stay costs, against what it has saved lately. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from prominence.core.machines import Wish, Worker
from prominence.core.snapshot import ExecutePoint, PoolSnapshot, SeenIdle
from prominence.scaler.catalogue import Kind, wanted_kind
from prominence.scaler.policy import Policy
from prominence.scaler.starts import UsualStarts

KEPT = 20
"""Of each flavour the latest: demand changes within the hour."""

_LEAST = timedelta(minutes=1)
"""From one job to the next HTCondor takes some seconds, and what submits them takes some, too."""

_LITTLE = 0.05
"""So much of the life of workers may be idle, whether it saves anything or not: jobs wait less."""

_FIRST = timedelta(minutes=1)
"""A job that comes so soon after a worker has joined is the one that it was ordered for."""


@dataclass(slots=True)
class _Sums:
    """Of workers of one flavour: how long they were idle, how long those lived that are gone, how often a job came."""

    idle_s: float = 0.0
    life_s: float = 0.0
    saved: int = 0


class Stays:
    """How long workers may be idle, by flavour.

    When a worker has cost as much idle as another one costs until it has joined, it may go: whenever the next job
    comes, this costs at most twice what it would if one knew. Where idle workers of its flavour have lately cost more
    than the starts that they saved, and more than a little, it goes soon; the short stay, too, tells when jobs come
    sooner again. least: none goes sooner.
    """

    def __init__(self, policy: Policy, snapshot: PoolSnapshot) -> None:
        self._policy = policy
        self._snapshot = snapshot
        self.least = min(policy.idle_time, _LEAST)

    # Reckoned once, and only if any worker has been idle for so long that it matters.

    @cached_property
    def _usual(self) -> UsualStarts:
        return UsualStarts(self._snapshot.seen_starts)

    @cached_property
    def _lately(self) -> Mapping[Kind, _Sums]:
        found: dict[Kind, _Sums] = defaultdict(_Sums)
        for one in self._snapshot.seen_idle:
            sums = found[one.cloud, one.flavour]
            sums.idle_s += one.seconds
            sums.life_s += one.life_s
            sums.saved += one.used
        return found

    def limit(self, worker: Worker) -> timedelta:
        """Nothing is saved by removing a worker that costs nothing."""
        policy, flavour, kind = self._policy, worker.flavour, wanted_kind(worker)
        took = self._usual.of(kind) if policy.idle_boots and flavour and flavour.price else None
        if took is None:
            return policy.idle_time
        worth_s = policy.idle_boots * took.most_s
        sums = self._lately.get(kind, _Sums())
        has_paid = sums.idle_s <= max(sums.saved * worth_s, _LITTLE * sums.life_s)
        return min(policy.idle_time, max(_LEAST, timedelta(seconds=worth_s)) if has_paid else _LEAST)


def seen(
    points: Iterable[ExecutePoint], workers: Iterable[Worker], previous: PoolSnapshot | None, now: datetime
) -> tuple[SeenIdle, ...]:
    """What was seen before, and the workers that were idle then and are not now, or are wanted no more."""
    known = previous.seen_idle if previous else ()
    new = sorted(_over(points, workers, previous, now), key=lambda one: (one.until, one.worker))
    if not new:
        return known
    of_kind: dict[Kind, list[SeenIdle]] = defaultdict(list)
    for one in (*known, *new):
        of_kind[one.cloud, one.flavour].append(one)
    return tuple(one for kind in sorted(of_kind) for one in of_kind[kind][-KEPT:])


def _over(
    points: Iterable[ExecutePoint], workers: Iterable[Worker], previous: PoolSnapshot | None, now: datetime
) -> Iterator[SeenIdle]:
    idle = [point for point in (previous and previous.execute_points) or () if point.idle_since]
    if not previous or not idle:
        return
    before = {worker.name: worker for worker in previous.workers or ()}
    after = {worker.name: worker for worker in workers}
    claimed = {point.name for point in points if point.claimed_slots}
    for point in idle:
        was, worker, since = before.get(point.name), after.get(point.name), point.idle_since
        if not was or not worker or not since or was.request.wish is not Wish.PRESENT:
            continue
        used = point.name in claimed
        if used and since < was.phase_since + _FIRST:
            continue
        if used or worker.request.wish is not Wish.PRESENT:
            cloud, flavour = wanted_kind(worker)
            yield SeenIdle(
                worker=worker.name,
                cloud=cloud,
                flavour=flavour,
                seconds=_seconds(now - since),
                used=used,
                life_s=0 if used else _seconds(now - was.phase_since),
                until=now,
            )


def _seconds(span: timedelta) -> float:
    return max(0.0, span.total_seconds())
