"""The pool as the scaler last saw it, and what it makes of it, without anybody's name.

From the documents that the leader publishes: neither scaler nor imc is asked, and what they could not see is absent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from prominence.core import classads, units
from prominence.core.errors import Rejected
from prominence.core.lifetimes import longest_ever
from prominence.core.machines import CloudStatus, Flavour, Size, WorkerPhase
from prominence.core.published import read_snapshot
from prominence.core.reasons import Reason
from prominence.core.scaling import Action, Explanation, ScalingPlan
from prominence.core.snapshot import PARTS, PoolSnapshot, SeenStart
from prominence.restapi import plans, waiting
from prominence.restapi.explaining import PART_NAMES
from prominence.restapi.identity import Identity, operates
from prominence.restapi.plans import Latest
from prominence.restapi.resources import amount
from prominence.restapi.services import Services

_NOTHING = Size(cpus=0, memory_mib=0, disk_mib=0)


def summary(caller: Identity, services: Services) -> dict[str, Any]:
    """What the caller may see of it. Raises Unavailable."""
    try:
        snapshot = read_snapshot(services.store)
    except Rejected:
        snapshot = None  # of another version; then the plan is, too
    return told(snapshot, plans.latest(services), caller)


def told(snapshot: PoolSnapshot | None, latest: Latest, caller: Identity) -> dict[str, Any]:
    """The same of these documents."""
    found = {
        "asOf": None if snapshot is None else _epoch(snapshot.taken_at),
        "trouble": f"Nothing is heard of the scaler: {latest.trouble}." if latest.plan is None else None,
        "parts": [_part(name, snapshot) for name in PARTS],
        **(_of_snapshot(snapshot) if snapshot is not None else {}),
        **(_of_plan(latest.plan, caller) if latest.plan is not None else {}),
    }
    return {name: value for name, value in found.items() if value is not None}


def _part(name: str, snapshot: PoolSnapshot | None) -> dict[str, Any]:
    read_at = snapshot.read_at.get(name) if snapshot is not None else None
    seen = snapshot is not None and getattr(snapshot, name) is not None
    return {"part": PART_NAMES[name], "seen": seen, **({"readAt": _epoch(read_at)} if read_at is not None else {})}


def _of_snapshot(snapshot: PoolSnapshot) -> dict[str, Any]:
    found: dict[str, Any] = {}
    alive = [worker for worker in snapshot.workers or () if not worker.phase.is_over]
    if snapshot.workers is not None:
        phases = Counter(worker.phase for worker in alive)
        found["workers"] = [{"phase": phase.value, "workers": phases[phase]} for phase in WorkerPhase if phases[phase]]
    if snapshot.execute_points is not None:
        points = snapshot.execute_points
        sums = {"capacity": (one.total for one in points), "free": (one.free for one in points)}
        found["room"] = {name: asdict(amount(sum(sizes, start=_NOTHING))) for name, sizes in sums.items()}
    if snapshot.clouds is not None:
        on = Counter(worker.flavour.cloud if worker.flavour else worker.request.cloud for worker in alive)
        workers = on if snapshot.workers is not None else None
        found["clouds"] = [_cloud(cloud, workers, snapshot.seen_starts) for cloud in snapshot.clouds]
    return found


def _cloud(cloud: CloudStatus, workers: Counter[str] | None, seen: Iterable[SeenStart]) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {}
    for one in seen:
        if one.cloud == cloud.name:
            seconds.setdefault(one.flavour, []).append(one.seconds)
    found = {
        "name": cloud.name,
        "workers": workers[cloud.name] if workers is not None else None,
        "limit": cloud.limit,
        "trouble": cloud.error or None,
        "retryAt": _epoch(cloud.retry_at) if cloud.error and cloud.retry_at is not None else None,
        "flavours": [_flavour(flavour, seconds.get(flavour.name, [])) for flavour in cloud.flavours],
    }
    return {name: value for name, value in found.items() if value is not None}


def _flavour(flavour: Flavour, seconds: list[float]) -> dict[str, Any]:
    start = {"least": min(seconds), "most": max(seconds), "seen": len(seconds)} if seconds else None
    region = {"region": flavour.region} if flavour.region else {}
    found = {"name": flavour.name, **region, "size": asdict(amount(flavour.size)), "price": flavour.price}
    longest = None if flavour.lifetime_s is None else longest_ever(flavour.lifetime_s) // units.SECONDS_PER_MINUTE
    more = {"start": start, "walltime": longest}
    return {**found, **{name: value for name, value in more.items() if value is not None}}


def _of_plan(plan: ScalingPlan, caller: Identity) -> dict[str, Any]:
    found: dict[str, Any] = {"actions": [_action(action, operates(caller)) for action in plan.actions]}
    if operates(caller):
        found["notes"] = list(plan.notes)
    if plan.inputs is not None:
        found["limit"] = plan.inputs.max_workers
        if (queue := plan.inputs.parts.get("demand")) and queue.trouble:
            return found
    return {**found, "waiting": _waiting(plan.explanations, classads.accounting_name(caller.user))}


def _waiting(explanations: Iterable[Explanation], user: str) -> dict[str, Any]:
    explanations = tuple(explanations)
    reasons = [
        {"reasonCode": reason.value, **_counts([one for one in explanations if one.reason is reason], user)}
        for reason in Reason
        if any(one.reason is reason for one in explanations)
    ]
    return {**_counts(explanations, user), "reasons": reasons}


def _counts(explanations: Iterable[Explanation], user: str) -> dict[str, int]:
    explanations = tuple(explanations)
    return {"jobs": waiting.jobs(explanations), "yours": waiting.jobs(one for one in explanations if one.user == user)}


def _action(action: Action, with_reason: bool) -> dict[str, Any]:
    found = {"act": action.act.value, "worker": action.worker, "cloud": action.cloud, "flavour": action.flavour}
    told = {**found, "reason": action.reason if with_reason else ""}
    return {name: value for name, value in told.items() if value}


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())
