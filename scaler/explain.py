"""Why each waiting job is not running yet: one explanation per demand and reason. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prominence.core.reasons import Reason
from prominence.core.scaling import Explanation
from prominence.core.snapshot import Demand
from prominence.scaler import wording
from prominence.scaler.limits import Limits
from prominence.scaler.packing import Waiting, holds
from prominence.scaler.pool import Room, Stage

Details = Mapping[str, str]

_NEAREST_FIRST = (
    Reason.MATCHING,
    Reason.WORKER_BOOTING,
    Reason.WORKER_REQUESTED,
    Reason.QUEUED,
    Reason.POOL_LIMIT,
    Reason.NO_CAPACITY,
    Reason.NO_FLAVOUR_FITS,
)
"""From the reason of jobs that will start soonest to that of jobs that never will."""


@dataclass(frozen=True)
class Given:
    """Room, and which jobs it is given to. Many demands may share one room, and one demand may need many."""

    room: Room
    shares: Waiting


def explanations(given: Iterable[Given], left: Waiting, limits: Limits) -> tuple[Explanation, ...]:
    """For every waiting job. The details name the first worker when there are several."""
    found: dict[tuple[Demand, Reason], tuple[int, Details]] = {}
    for demand, jobs, reason, details in (*_with_room(given), *_without_room(left, limits)):
        already, first = found.get((demand, reason), (0, details))
        found[demand, reason] = (already + jobs, first)
    explained = [_explanation(demand, jobs, reason, d) for (demand, reason), (jobs, d) in found.items()]
    return tuple(sorted(explained, key=_place))


def not_looked_at(demand: Iterable[Demand]) -> tuple[Explanation, ...]:
    """For all jobs of a round in which nothing could be decided."""
    explained = [_explanation(one, one.jobs, Reason.QUEUED, {}) for one in demand]
    return tuple(sorted(explained, key=_place))


Found = tuple[Demand, int, Reason, Details]


def _with_room(given: Iterable[Given]) -> Iterator[Found]:
    for one in given:
        reason, details = _soon(one.room)
        for demand, jobs in one.shares:
            yield demand, jobs, reason, details


def _soon(room: Room) -> tuple[Reason, Details]:
    if room.stage in (Stage.READY, Stage.LEAVING):
        return Reason.MATCHING, {"worker": room.worker}
    if room.trouble:
        return Reason.NO_CAPACITY, {"detail": room.trouble, "worker": room.worker}
    reason = Reason.WORKER_BOOTING if room.stage is Stage.BOOTING else Reason.WORKER_REQUESTED
    return reason, {"worker": room.worker, "flavour": room.flavour or "any flavour"}


def _without_room(left: Waiting, limits: Limits) -> Iterator[Found]:
    for demand, jobs in left:
        reason, details = _why(demand, limits)
        yield demand, jobs, reason, details


def _why(demand: Demand, limits: Limits) -> tuple[Reason, Details]:
    flavours = limits.catalogue.flavours
    fitting = [flavour for flavour in flavours if holds(flavour.size, demand.size)]
    if not fitting:
        return _fits_no_flavour(demand, limits)
    if limits.is_full:
        return Reason.POOL_LIMIT, {"limit": str(limits.policy.max_workers)}
    refusals = [limits.catalogue.why_not(flavour) for flavour in fitting]
    if all(refusals):
        return Reason.NO_CAPACITY, {"detail": "; ".join(dict.fromkeys(refusals))}
    return Reason.QUEUED, {"detail": f"at most {limits.policy.creations_per_round} workers are ordered in one round"}


def _fits_no_flavour(demand: Demand, limits: Limits) -> tuple[Reason, Details]:
    for member in limits.pool.members:
        if member.is_staying and member.point and holds(member.point.total, demand.size):
            return Reason.NO_CAPACITY, {"detail": f"it fits on {member.name} only, which is in use"}
    if limits.catalogue.flavours:
        return Reason.NO_FLAVOUR_FITS, {"detail": wording.nearest(demand.size, limits.catalogue.flavours)}
    if limits.catalogue.troubled:
        return Reason.NO_CAPACITY, {"detail": "; ".join(limits.catalogue.troubled.values())}
    return Reason.NO_FLAVOUR_FITS, {"detail": "no cloud offers any machine"}


def _explanation(demand: Demand, jobs: int, reason: Reason, details: Details) -> Explanation:
    return Explanation(
        size=demand.size, user=demand.user, group=demand.group, jobs=jobs, reason=reason, details=dict(details)
    )


def _place(one: Explanation) -> tuple[str, str, int, int, int, int, int]:
    size = one.size
    place = _NEAREST_FIRST.index(one.reason)
    return (one.group, one.user, size.cpus, size.memory_mib, size.disk_mib, size.gpus, place)
