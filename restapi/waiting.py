"""Which of the scaler's explanations belongs to which idle job. Pure.

The scaler explains demands: so many jobs of one size, user and group wait for this, so many for that. The jobs of a
demand are alike; the one that was submitted first is nearest to its start.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from prominence.core import classads, units
from prominence.core.machines import Size
from prominence.core.scaling import Explanation, ScalingPlan
from prominence.core.view import JobAd

Demand = tuple[Size, str, str]


def explained(idle: Iterable[JobAd], plan: ScalingPlan) -> dict[int, Explanation]:
    """Explanations by job id, for all idle jobs of a user. A job that the plan does not know is the last."""
    explanations = _by_demand(plan)
    ranks: Counter[Demand] = Counter()
    found = {}
    for ad in sorted(idle, key=_job_id):
        demand = _demand(ad)
        if demand in explanations:
            found[_job_id(ad)] = _of_place(explanations[demand], ranks[demand])
        ranks[demand] += 1
    return found


def need_all(idle: Iterable[JobAd], plan: ScalingPlan) -> bool:
    """Whether jobs like these wait for different things, so that it matters which of them is first."""
    explanations = _by_demand(plan)
    return any(len(explanations.get(_demand(ad), ())) > 1 for ad in idle)


def _by_demand(plan: ScalingPlan) -> dict[Demand, list[Explanation]]:
    """In the plan's order: the reason of those that start soonest comes first."""
    found = defaultdict(list)
    for one in plan.explanations:
        found[one.size, one.user, one.group].append(one)
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
        cpus=max(1, int(ad.get(classads.REQUEST_CPUS, 0))),
        memory_mib=int(ad.get(classads.REQUEST_MEMORY, 0)),
        disk_mib=units.mib_needed(int(ad.get(classads.REQUEST_DISK, 0))),
        gpus=int(ad.get(classads.REQUEST_GPUS, 0)),
    )
    return size, str(ad.get(classads.ACCOUNTING_USER, "")), str(ad.get(classads.ACCOUNTING_GROUP, ""))


def _job_id(ad: JobAd) -> int:
    return int(ad[classads.CLUSTER_ID])
