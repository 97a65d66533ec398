"""How much a group may have at once, of whose waiting jobs those beyond get no room; and on which clouds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prominence.core import classads
from prominence.core.machines import CloudStatus
from prominence.scaler import packing
from prominence.scaler.packing import Waiting, Wanted


@dataclass(frozen=True)
class Beyond:
    """Jobs of a group that has what it may have. used, limit: cores, those of the jobs that still get some included."""

    jobs: Waiting
    used: Mapping[str, int]
    limits: Mapping[str, int]


def within_limits(waiting: Waiting, used: Mapping[str, int], limits: Mapping[str, int]) -> tuple[Waiting, Beyond]:
    """The jobs that may have room, in their order, and the others.

    used: cores of the running jobs, by group as HTCondor's accounting calls it. limits: cores, by group. Of a job of
    several nodes all may have room or none.
    """
    of_name = {classads.accounting_name(group): limit for group, limit in limits.items()}
    if not of_name:
        return waiting, Beyond((), {}, {})
    total = dict(used)
    taken = []
    for demand, jobs in waiting:
        if demand.group not in of_name:
            taken.append(jobs)
            continue
        cpus, has = max(1, demand.size.cpus), total.get(demand.group, 0)
        count = min(jobs, max(0, of_name[demand.group] - has) // cpus)
        if count < jobs:
            count -= count % demand.nodes
        total[demand.group] = has + count * cpus
        taken.append(count)
    return packing.shares(waiting, taken), Beyond(packing.without(waiting, taken), total, of_name)


def where_they_may(waiting: Waiting, clouds: Iterable[CloudStatus]) -> Waiting:
    """The same jobs, those with clouds closed to them that are for other groups alone."""
    open_to = {
        cloud.name: {classads.accounting_name(group) for group in cloud.groups} for cloud in clouds if cloud.groups
    }
    if not open_to:
        return waiting
    found = []
    for wanted, jobs in waiting:
        closed = tuple(sorted(cloud for cloud, groups in open_to.items() if wanted.group not in groups))
        if closed:
            placement = wanted.placement.model_copy(update={"closed": closed})
            wanted = Wanted(wanted.demand.model_copy(update={"placement": placement}), placement)
        found.append((wanted, jobs))
    return tuple(found)
