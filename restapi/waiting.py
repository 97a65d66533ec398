"""Which of the scaler's explanations belongs to which idle job, and how many like it come before it. Pure.

The scaler explains demands: so many jobs of one size, placement, user and group wait for this, so many for that. The
jobs of a demand are alike; of them the one with the highest priority, and then the one that was submitted first, is
nearest to its start.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prominence.core import classads, units
from prominence.core.jobid import JobId
from prominence.core.lifetimes import ANY, Walltimes
from prominence.core.machines import Size
from prominence.core.placement import Placement, of_texts
from prominence.core.scaling import Explanation, ScalingPlan
from prominence.core.verdict import number
from prominence.core.view import JobAd

Demand = tuple[Size, Placement, str, str, int]
Kind = tuple[Demand, str, Walltimes]


@dataclass(frozen=True)
class Standing:
    """Of a job among those that are like it. place: counted from 1; of: how many there are.

    explanation: None where the scaler has not looked at jobs like it yet.
    """

    explanation: Explanation | None
    place: int
    of: int


def standings(idle: Iterable[JobAd], plan: ScalingPlan) -> dict[int, Standing]:
    """By job id, for all idle jobs of a user. A job that the plan does not know yet is the last of its kind."""
    explanations = _by_demand(plan)
    alike: dict[Kind, list[JobAd]] = defaultdict(list)
    for ad in idle:
        alike[_kind_of(ad, explanations)].append(ad)
    found: dict[int, Standing] = {}
    for (demand, requires, walltimes), ads in alike.items():
        *_, nodes = demand
        told = [
            one
            for one in explanations.get(demand, ())
            if (not requires or requires in one.requirements) and one.walltimes in (ANY, walltimes)
        ]
        for place, ad in enumerate(sorted(ads, key=_turn)):
            # The scaler counts nodes.
            explanation = _of_place(told, place * nodes) if told else None
            found[JobId.of(ad)] = Standing(explanation, place + 1, len(ads))
    return found


def explained(idle: Iterable[JobAd], plan: ScalingPlan) -> dict[int, Explanation]:
    """Explanations by job id, for all idle jobs of a user of which the plan knows any like them."""
    found = standings(idle, plan)
    return {job: one.explanation for job, one in found.items() if one.explanation is not None}


def need_all(idle: Iterable[JobAd], plan: ScalingPlan) -> bool:
    """Whether jobs like these wait for different things, so that it matters which of them is first."""
    explanations = _by_demand(plan)
    return any(len(explanations.get(_demand(ad), ())) > 1 for ad in idle)


def jobs(explanations: Iterable[Explanation]) -> int:
    """How many they are about. Of a job of several nodes some may have another reason than the rest."""
    nodes: Counter[Demand] = Counter()
    for one in explanations:
        nodes[_kind(one)] += one.jobs
    return sum(math.ceil(count / kind[-1]) for kind, count in nodes.items())


def _kind(one: Explanation) -> Demand:
    return one.size, one.placement, one.user, one.group, one.nodes


def _by_demand(plan: ScalingPlan) -> dict[Demand, list[Explanation]]:
    """In the plan's order: the reason of those that start soonest comes first."""
    found = defaultdict(list)
    for one in plan.explanations:
        found[_kind(one)].append(one)
    return found


def _of_place(explanations: Sequence[Explanation], rank: int) -> Explanation:
    for one in explanations:
        if rank < one.jobs:
            return one
        rank -= one.jobs
    return explanations[-1]


def _demand(ad: JobAd) -> Demand:
    """As the scaler counts it."""
    size = Size(
        cpus=max(1, _count(ad, classads.REQUEST_CPUS)),
        memory_mib=_count(ad, classads.REQUEST_MEMORY),
        disk_mib=units.mib_needed(_count(ad, classads.REQUEST_DISK)),
        gpus=_count(ad, classads.REQUEST_GPUS),
    )
    user, group = str(ad.get(classads.ACCOUNTING_USER, "")), str(ad.get(classads.ACCOUNTING_GROUP, ""))
    nodes = max(1, number(ad, classads.NODE_COUNT) or 1)
    return size, of_texts(ad.get(name) for name in classads.PLACEMENT), user, group, nodes


def _count(ad: JobAd, name: str) -> int:
    """A job that has run may have been changed by its worker."""
    return max(0, number(ad, name) or 0)


def _kind_of(ad: JobAd, explanations: Mapping[Demand, Sequence[Explanation]]) -> Kind:
    """What jobs that are alike have in common; with the digest of what they require, where that makes a difference,
    and so with how long they may run."""
    demand = _demand(ad)
    of_demand = explanations.get(demand, ())
    told = {digest for one in of_demand for digest in one.requirements}
    requires, walltime_s = str(ad.get(classads.REQUIRES, "")), number(ad, classads.WALLTIME) or 0
    walltimes = next((one.walltimes for one in of_demand if one.walltimes.hold(walltime_s)), ANY)
    return demand, requires if requires in told else "", walltimes


def _turn(ad: JobAd) -> tuple[int, int, int]:
    job_id = JobId.of(ad)
    return -(number(ad, classads.PRIORITY) or 0), job_id.cluster, job_id.index or 0
