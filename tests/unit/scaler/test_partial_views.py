"""Unknown is not empty."""

from __future__ import annotations

import pytest
from builders import NOON, a_demand, minutes
from builders_scaler import a_known_worker, a_point, acts, plan_for

from prominence.core.machines import Wish, WorkerPhase
from prominence.core.reasons import Reason
from prominence.core.scaling import Act

LATER = NOON + minutes(12)
IDLE, DRAINED = a_known_worker("w-1"), a_known_worker("w-2", WorkerPhase.DRAINED, wish=Wish.DRAINED)
WHOLE = {
    "demand": (a_demand(jobs=9),),
    "workers": (IDLE, DRAINED),
    "execute_points": (a_point("w-1"), a_point("w-2", draining=True)),
}


@pytest.mark.parametrize("part", ["execute_points", "workers", "clouds"])
def test_nothing_is_done_when_a_part_is_unknown(part: str) -> None:
    plan = plan_for(now=LATER, **{**WHOLE, part: None, "unknown": {part: "it does not answer"}})
    assert plan.actions == ()
    assert plan.notes == (f"{part.replace('_', ' ')} unknown, nothing is done: it does not answer",)
    assert [(one.reason, one.jobs) for one in plan.explanations] == [(Reason.POOL_UNKNOWN, 9)]


def test_with_an_unknown_queue_nothing_is_ordered_drained_or_saved() -> None:
    plan = plan_for(now=LATER, **{**WHOLE, "demand": None, "unknown": {"demand": "the schedd is away"}})
    assert acts(plan) == [(Act.DELETE, "w-2")], "what is drained already runs nothing, whatever the queue holds"
    assert plan.notes == ("the queue is unknown, nothing is ordered or drained: the schedd is away",)
    assert plan.explanations == ()


def test_an_empty_queue_is_not_an_unknown_one() -> None:
    assert acts(plan_for(now=LATER, **{**WHOLE, "demand": ()})) == [(Act.DRAIN, "w-1"), (Act.DELETE, "w-2")]


def test_nothing_is_done_about_an_old_snapshot() -> None:
    plan = plan_for(now=LATER, **{**WHOLE, "taken_at": LATER - minutes(2)})
    assert plan.actions == ()
    assert plan.notes == ("the snapshot is 2 min old, nothing is done",)


def test_failed_workers_are_reported() -> None:
    failed = a_known_worker(phase=WorkerPhase.FAILED, reason="its machine vanished")
    assert plan_for(workers=(failed,)).notes == ("w-1 (small) failed: its machine vanished",)
