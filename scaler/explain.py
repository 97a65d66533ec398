"""Why each waiting job is not running yet: one explanation per demand and reason. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from prominence.core import units
from prominence.core.machines import Flavour
from prominence.core.reasons import Reason
from prominence.core.scaling import Explanation
from prominence.core.snapshot import Demand, ExecutePoint
from prominence.scaler import wording
from prominence.scaler.catalogue import Refusal
from prominence.scaler.groups import Beyond
from prominence.scaler.limits import Limits
from prominence.scaler.packing import Waiting, Wanted, holds
from prominence.scaler.pool import Room, Stage

Details = Mapping[str, str]

_NEAREST_FIRST = (
    Reason.MATCHING,
    Reason.WORKER_BOOTING,
    Reason.WORKER_REQUESTED,
    Reason.QUEUED,
    Reason.PATIENCE,
    Reason.POOL_UNKNOWN,
    Reason.POOL_LIMIT,
    Reason.CLOUD_LIMIT,
    Reason.GROUP_LIMIT,
    Reason.BACK_OFF,
    Reason.NO_CAPACITY,
    Reason.NO_FLAVOUR_FITS,
    Reason.NO_FLAVOUR_LASTS,
    Reason.NO_SUCH_PLACE,
)
"""From the reason of jobs that will start soonest to that of jobs that never will."""

_THERE = (Stage.READY, Stage.LEAVING)
_MOST_WORKERS = 20
"""That are named in one explanation."""


@dataclass(frozen=True)
class Given:
    """Room, and which jobs it is given to. Many demands may share one room, and one demand may need many.

    others: workers that are just like the room's, each with the same jobs.
    """

    room: Room
    shares: Waiting
    others: tuple[str, ...] = ()


def explanations(
    given: Iterable[Given],
    left: Waiting,
    withheld: Waiting,
    beyond: Beyond,
    limits: Limits,
    held: Iterable[Held] = (),
) -> tuple[Explanation, ...]:
    """For every waiting job. withheld: those that get none of the room that there is, as it is too little for all nodes
    of a job. beyond: those of groups that have what they may have. held: those that wait to save money. The details
    name the first worker of several."""
    found: dict[Reason, dict[Wanted, _Told]] = defaultdict(dict)
    for one in given:
        reason, details = _soon(one.room)
        names, told_of = (one.room.worker, *one.others), found[reason]
        machines = len(names)
        for wanted, jobs in one.shares:
            told = told_of.get(wanted)
            if told is None:
                told = told_of[wanted] = _Told(details)
            told.jobs += jobs * machines
            if len(told.workers) < _MOST_WORKERS:
                told.workers.extend(names[: _MOST_WORKERS - len(told.workers)])
    without_room = (*_without_room(left, limits), *_withheld(withheld, limits), *_beyond(beyond), *_held(held, limits))
    for wanted, jobs, reason, details in without_room:
        found[reason].setdefault(wanted, _Told(details)).jobs += jobs
    explained = [
        _explanation(wanted.demand, told.jobs, reason, told.details, told.workers)
        for reason, told_of in found.items()
        for wanted, told in told_of.items()
    ]
    return tuple(sorted(explained, key=_place))


def not_looked_at(demand: Iterable[Demand], doubts: Iterable[str]) -> tuple[Explanation, ...]:
    """For all jobs of a round in which nothing could be decided. doubts: why."""
    details = {"detail": "; ".join(doubts)}
    explained = [_explanation(one, one.jobs, Reason.POOL_UNKNOWN, details) for one in demand]
    return tuple(sorted(explained, key=_place))


@dataclass(slots=True)
class _Told:
    """What is told of jobs that are alike and wait for one reason. workers: those that are meant for them, if any."""

    details: Details
    jobs: int = 0
    workers: list[str] = field(default_factory=list)


Found = tuple[Wanted, int, Reason, Details]
Held = tuple[Wanted, int, datetime]
"""So many jobs that wait to save money, until then at the latest."""


def _soon(room: Room) -> tuple[Reason, Details]:
    if room.stage in _THERE:
        return Reason.MATCHING, {"worker": room.worker}
    if room.trouble:
        return Reason.NO_CAPACITY, {"detail": room.trouble, "worker": room.worker}
    reason = Reason.WORKER_BOOTING if room.stage is Stage.BOOTING else Reason.WORKER_REQUESTED
    after = f", after {room.refusal}" if room.refusal else ""
    return reason, {"worker": room.worker, "flavour": (room.flavour or "any flavour") + after}


def _without_room(left: Waiting, limits: Limits) -> Iterator[Found]:
    for wanted, jobs in left:
        reason, details = _why(wanted.demand, limits)
        yield wanted, jobs, reason, details


def _withheld(withheld: Waiting, limits: Limits) -> Iterator[Found]:
    for wanted, jobs in withheld:
        reason, details = _why(wanted.demand, limits)
        if reason is Reason.QUEUED:
            there_may_be = f"at most {limits.policy.max_workers} workers may exist"
            detail = f"all {wanted.nodes} nodes of the job need room at the same time in one region, and {there_may_be}"
            reason, details = Reason.NO_CAPACITY, _detail(wanted.demand, detail)
        yield wanted, jobs, reason, details


def _beyond(beyond: Beyond) -> Iterator[Found]:
    for wanted, jobs in beyond.jobs:
        used, limit = beyond.used.get(wanted.group, 0), beyond.limits[wanted.group]
        yield wanted, jobs, Reason.GROUP_LIMIT, {"used": str(used), "limit": str(limit)}


def _held(held: Iterable[Held], limits: Limits) -> Iterator[Found]:
    """What would keep a machine from being ordered all the same is told rather than that none is ordered yet."""
    for wanted, jobs, until in held:
        reason, details = _why(wanted.demand, limits)
        if reason is Reason.QUEUED:
            so_long = units.plainly(round(limits.policy.patience_s))
            detail = f"until {until:%H:%M:%S} UTC at the latest, as the pool's policy has a patience of {so_long}"
            reason, details = Reason.PATIENCE, {"detail": detail, "until": until.isoformat()}
        yield wanted, jobs, reason, details


def _why(demand: Demand, limits: Limits) -> tuple[Reason, Details]:
    fitting = limits.catalogue.fitting(demand.size, demand.placement)
    if not fitting:
        return _fits_no_flavour(demand, limits)
    if limits.is_full:
        used = limits.pool.existing + limits.ordered
        return Reason.POOL_LIMIT, {"limit": str(limits.policy.max_workers), "used": str(used)}
    refusals = limits.catalogue.refusals
    if all(refusals[number] for number in fitting):
        return _refused(demand, [refusal for number in fitting if (refusal := refusals[number])])
    return Reason.QUEUED, {"detail": f"at most {limits.policy.creations_per_round} workers are ordered in one round"}


def _refused(demand: Demand, refusals: Sequence[Refusal]) -> tuple[Reason, Details]:
    """By what all flavours are refused for, if that is one thing; until: when the first of them is tried again."""
    words = {refusal.reason for refusal in refusals}
    details = _detail(demand, *dict.fromkeys(refusal.sentence for refusal in refusals))
    moments = [refusal.until for refusal in refusals if refusal.until]
    until = {"until": min(moments).isoformat()} if moments else {}
    return words.pop() if len(words) == 1 else Reason.NO_CAPACITY, {**details, **until}


def _fits_no_flavour(demand: Demand, limits: Limits) -> tuple[Reason, Details]:
    for member in limits.pool.members:
        if member.is_staying and member.point and _is_for(demand, member.point):
            return Reason.NO_CAPACITY, {"detail": f"it fits on {member.name} only, which is in use"}
    catalogue, area = limits.catalogue, demand.placement.requirements
    held = [flavour for flavour in catalogue.flavours if area.holds(flavour.place)]
    allowed = [flavour for flavour in held if flavour.cloud not in demand.placement.closed]
    meeting = [flavour for flavour in allowed if demand.placement.takes(flavour.place)]
    if brief := [flavour for flavour in allowed if _is_brief(flavour, demand)]:
        return Reason.NO_FLAVOUR_LASTS, _detail(demand, wording.brief(brief))
    if allowed and not meeting:
        return Reason.NO_FLAVOUR_FITS, _detail(demand, wording.unmet(demand.unmet))
    if meeting:
        return Reason.NO_FLAVOUR_FITS, _detail(demand, wording.nearest(demand.size, meeting))
    if held:
        clouds = sorted({flavour.cloud for flavour in held})
        return Reason.NO_SUCH_PLACE, {"detail": wording.closed(clouds, demand.group)}
    if silent := catalogue.silent(area):
        return Reason.NO_CAPACITY, _detail(demand, *silent)
    if area.is_everywhere:
        return Reason.NO_FLAVOUR_FITS, {"detail": "no cloud offers any machine"}
    return Reason.NO_SUCH_PLACE, {"detail": wording.missing(area, catalogue.places())}


def _is_brief(flavour: Flavour, demand: Demand) -> bool:
    """Whether such a job could run there if it were shorter."""
    return flavour.place.kind in demand.brief and holds(flavour.size, demand.size)


def _is_for(demand: Demand, point: ExecutePoint) -> bool:
    """Whether such a job could run there if nothing else did."""
    return demand.placement.takes(point.place) and holds(point.total, demand.size)


def _detail(demand: Demand, *parts: str) -> Details:
    """With where the job must run, if it says so: it may be for that alone that the job waits."""
    area = demand.placement.requirements
    return {"detail": "; ".join((*parts, *([] if area.is_everywhere else [f"the job must run {wording.where(area)}"])))}


def _explanation(
    demand: Demand, jobs: int, reason: Reason, details: Details, workers: Iterable[str] = ()
) -> Explanation:
    return Explanation(
        size=demand.size,
        user=demand.user,
        group=demand.group,
        placement=demand.placement.as_said(),
        requirements=demand.requirements,
        walltimes=demand.walltimes,
        jobs=jobs,
        nodes=demand.nodes,
        reason=reason,
        details=dict(details),
        workers=tuple(workers),
    )


def _place(one: Explanation) -> tuple[int | str | tuple[str, ...], ...]:
    size = one.size
    amounts = (size.cpus, size.memory_mib, size.disk_mib, size.gpus)
    said = (one.placement.texts(), one.requirements, str(one.walltimes.over_s))
    return (one.group, one.user, *amounts, *said, one.nodes, _NEAREST_FIRST.index(one.reason))
