"""How long jobs that are alike have been waiting: what one look at the queue does not tell. Pure.

The queue is counted by kind and not job by job. Of the jobs of a kind the oldest start first; so when there are fewer
than before the oldest have gone, and when there are more the new ones have come since. Where jobs came and went between
two looks they count as older than they are, and as younger by what is between two looks at most.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator
from datetime import datetime, timedelta

from prominence.core.snapshot import Demand, PoolSnapshot, SeenWait

_PARTS = 20
"""Jobs that came within so small a part of the patience count as having come together."""


def seen(
    demand: Iterable[Demand] | None, previous: PoolSnapshot | None, now: datetime, patience: timedelta
) -> tuple[SeenWait, ...]:
    """Of the jobs that wait, when they came, the oldest first. Of an unknown queue what was seen before."""
    known = previous.seen_waits if previous else ()
    if not patience:
        return ()
    if demand is None:
        return known
    before: dict[Hashable, list[SeenWait]] = defaultdict(list)
    for one in known:
        before[key(one)].append(one)
    jobs: Counter[Hashable] = Counter()
    alike: dict[Hashable, Demand] = {}
    for each in demand:
        alike.setdefault(key(each), each)
        jobs[key(each)] += each.jobs
    return tuple(
        wait for kind, count in jobs.items() for wait in _of_kind(alike[kind], count, before[kind], now, patience)
    )


def key(one: Demand | SeenWait) -> Hashable:
    """What makes jobs alike here."""
    return one.size, one.user, one.group, one.placement.as_said(), one.nodes


def _of_kind(
    one: Demand, jobs: int, before: Iterable[SeenWait], now: datetime, patience: timedelta
) -> Iterator[SeenWait]:
    gone = max(0, sum(wait.jobs for wait in before) - jobs)
    kept: list[tuple[datetime, int]] = []
    for wait in before:
        left = wait.jobs - min(gone, wait.jobs)
        gone -= wait.jobs - left
        if left:
            kept.append((min(wait.since, now), left))
    if new := jobs - sum(count for _, count in kept):
        kept.append((now, new))
    merged: list[tuple[datetime, int]] = []
    for since, count in kept:
        last = merged[-1][0] if merged else None
        if last is not None and (since - last < patience / _PARTS or now - since >= patience):
            merged[-1] = (last, merged[-1][1] + count)
        else:
            merged.append((since, count))
    for since, count in merged:
        yield SeenWait(
            size=one.size,
            user=one.user,
            group=one.group,
            placement=one.placement.as_said(),
            nodes=one.nodes,
            jobs=count,
            since=since,
        )
