"""What is told with a plan besides what was decided: what it was made from, since when jobs wait, when they may start.

Pure. It is not `decide`'s, since nothing is decided by it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable

from prominence.core.scaling import Explanation, Inputs, Part, ScalingPlan
from prominence.core.snapshot import PARTS, PoolSnapshot
from prominence.scaler.estimate import Starts
from prominence.scaler.policy import Policy


def told(
    plan: ScalingPlan, snapshot: PoolSnapshot, sha256: str, policy: Policy, before: ScalingPlan | None
) -> ScalingPlan:
    """The plan as it is published and kept. sha256: of the snapshot as JSON. before: the plan of the last round."""
    since = {_key(one): one.since for one in before.explanations} if before else {}
    starts = Starts(plan, snapshot)
    explained = (
        one.model_copy(update={"since": since.get(_key(one)) or plan.made_at, "start": starts.of(one)})
        for one in plan.explanations
    )
    return plan.model_copy(update={"explanations": tuple(explained), "inputs": _inputs(snapshot, sha256, policy)})


def _key(one: Explanation) -> Hashable:
    return one.size, one.user, one.group, one.placement, one.requirements, one.nodes, one.reason


def _inputs(snapshot: PoolSnapshot, sha256: str, policy: Policy) -> Inputs:
    return Inputs(
        snapshot=sha256,
        policy=hashlib.sha256(policy.model_dump_json().encode()).hexdigest(),
        max_workers=policy.max_workers,
        parts={
            part: Part(read_at=snapshot.read_at.get(part), trouble=snapshot.unknown.get(part, "")) for part in PARTS
        },
    )
