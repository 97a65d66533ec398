"""When waiting jobs may start, reckoned from how long workers took to join. Pure.

A job that has room waits for HTCondor to match it; a job whose worker is coming for that worker, which takes as long as
others of its flavour took, and after that for HTCondor. How long running jobs still run nobody knows: a job that waits
for them has no estimate.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from prominence.core.reasons import Reason
from prominence.core.scaling import Act, Explanation, ScalingPlan, Start
from prominence.core.snapshot import PoolSnapshot
from prominence.scaler.catalogue import Kind, wanted_kind
from prominence.scaler.starts import Usual, UsualStarts

MATCHED_WITHIN_S = 20.0
"""HTCondor matches jobs every few seconds, and starts them in a few more."""

CHANCE = 1.5
"""A start may well take this much longer than the longest of the few that were seen."""

_UNKNOWN = {
    Reason.POOL_LIMIT: "it depends on how long the jobs that have room run",
    Reason.CLOUD_LIMIT: "it depends on how long the jobs that have room run",
    Reason.GROUP_LIMIT: "it depends on how long the jobs of its group run",
    Reason.NO_CAPACITY: "nobody says when there will be room",
    Reason.POOL_UNKNOWN: "nothing is decided until all of the pool can be seen",
}


class _Coming(NamedTuple):
    """A worker that may not have joined yet: when it was ordered, and when it may take jobs. usual: None: not known."""

    since: datetime
    soonest: datetime
    latest: datetime
    usual: Usual | None


class Starts:
    """When the jobs of one plan may start."""

    def __init__(self, plan: ScalingPlan, snapshot: PoolSnapshot) -> None:
        self._usual = UsualStarts(snapshot.seen_starts)
        self._made_at = plan.made_at
        self._coming = {name: self._expected(kind, since) for name, kind, since in _ordered(plan, snapshot)}

    def of(self, one: Explanation) -> Start | None:
        """Of the jobs of this explanation; None: there is nothing to be said."""
        if one.reason is Reason.MATCHING:
            basis = "there is room, and HTCondor matches jobs every few seconds"
            return Start(basis=basis, soonest_s=0, latest_s=MATCHED_WITHIN_S)
        if one.reason in (Reason.WORKER_BOOTING, Reason.WORKER_REQUESTED):
            return _of_workers([self._coming[name] for name in one.workers if name in self._coming])
        if one.reason is Reason.PATIENCE:
            return _at_the_latest(self._usual.of(), datetime.fromisoformat(one.details["until"]), self._made_at)
        if until := one.details.get("until"):
            return _later("it is tried again then", self._usual.of(), datetime.fromisoformat(until))
        if one.reason is Reason.QUEUED:
            return _later("workers are ordered in the next rounds", self._usual.of(), None)
        return Start(basis=_UNKNOWN[one.reason]) if one.reason in _UNKNOWN else None

    def _expected(self, kind: Kind, since: datetime) -> _Coming:
        usual = self._usual.of(kind)
        if usual is None:
            return _Coming(since, since, since, None)
        soonest = since + timedelta(seconds=usual.least_s)
        return _Coming(since, soonest, since + timedelta(seconds=CHANCE * usual.most_s + MATCHED_WITHIN_S), usual)


def _ordered(plan: ScalingPlan, snapshot: PoolSnapshot) -> Iterator[tuple[str, Kind, datetime]]:
    """Workers by name, each with its kind and when it was ordered."""
    for worker in snapshot.workers or ():
        yield worker.name, wanted_kind(worker), worker.requested_at
    for action in plan.actions:
        if action.act is Act.CREATE:
            yield action.worker, (action.cloud, action.flavour), plan.made_at


def _of_workers(coming: list[_Coming]) -> Start:
    basis = coming[0].usual if coming else None
    if basis is None or any(one.usual is None for one in coming):
        return Start(basis="no worker has been seen to start yet, so that it is not known how long that takes")
    first = min(one.since for one in coming)
    soonest, latest = min(one.soonest for one in coming), max(one.latest for one in coming)
    soonest_s, latest_s = ((moment - first).total_seconds() for moment in (soonest, latest))
    return Start(basis=basis.basis, soonest_s=soonest_s, latest_s=latest_s, since=first)


def _at_the_latest(usual: Usual | None, until: datetime, now: datetime) -> Start:
    """As soon as room becomes free, or when a worker has joined that is ordered then."""
    basis = "it starts as soon as there is room, and a machine is ordered for it at the latest when patience is over"
    if usual is None:
        return Start(basis=basis, soonest_s=0)
    latest_s = (until - now).total_seconds() + CHANCE * usual.most_s + MATCHED_WITHIN_S
    return Start(basis=f"{basis}; {usual.basis}", soonest_s=0, latest_s=latest_s, since=now)


def _later(basis: str, usual: Usual | None, since: datetime | None) -> Start:
    """Not before a worker that is ordered then has joined."""
    if usual is None:
        return Start(basis=basis, soonest_s=0, since=since)
    return Start(basis=f"{basis}; {usual.basis}", soonest_s=usual.least_s, since=since)
