"""A plan is carried out action by action, and no further than makes sense."""

from __future__ import annotations

import pytest
from builders import NOON, a_size
from builders_scaler import a_pretend_pool

from prominence.core.errors import Conflict, CredentialsRefused, OutOfCapacity, ProminenceError, Unavailable
from prominence.core.machines import Wish
from prominence.core.scaling import Act, Action, ScalingPlan
from prominence.scaler.act import act, request_for
from prominence.scaler.adapters.memory import PretendPool


def a_plan(*workers: str) -> ScalingPlan:
    actions = tuple(
        Action(act=Act.CREATE, worker=name, reason="2 jobs wait", size=a_size(), cloud="docker", flavour="small")
        for name in workers
    )
    return ScalingPlan(made_at=NOON, actions=actions)


def carried_out(pool: PretendPool, *workers: str) -> list[tuple[str, str]]:
    results = act(a_plan(*workers), pool, fence=7, may_go_on=lambda: True)
    return [(result.action.worker, type(result.error).__name__) for result in results]


def test_every_action_becomes_a_wish_with_reason_and_fence() -> None:
    pool = a_pretend_pool()
    assert carried_out(pool, "w-1", "w-2") == [("w-1", "NoneType"), ("w-2", "NoneType")]
    request = pool.records["w-1"].request
    assert (request.wish, request.reason, request.fence) == (Wish.PRESENT, "2 jobs wait", 7)
    assert (request.size, request.cloud, request.flavour) == (a_size(), "docker", "small")


@pytest.mark.parametrize(
    ("what", "wish"),
    [
        (Act.CREATE, Wish.PRESENT),
        (Act.UNDRAIN, Wish.PRESENT),
        (Act.DRAIN, Wish.DRAINED),
        (Act.DELETE, Wish.ABSENT),
    ],
)
def test_each_act_has_its_wish(what: Act, wish: Wish) -> None:
    assert request_for(a_plan("w-1").actions[0].model_copy(update={"act": what}), fence=1).wish is wish


@pytest.mark.parametrize("error", [OutOfCapacity("full"), Conflict("too late")])
def test_an_error_of_one_action_does_not_stop_the_others(error: ProminenceError) -> None:
    pool = a_pretend_pool(refusals={"w-1": error})
    assert carried_out(pool, "w-1", "w-2") == [("w-1", type(error).__name__), ("w-2", "NoneType")]


@pytest.mark.parametrize("error", [CredentialsRefused("who are you"), Unavailable("imc is away")])
def test_an_error_that_concerns_all_actions_ends_the_round(error: ProminenceError) -> None:
    pool = a_pretend_pool(refusals={"w-1": error})
    assert carried_out(pool, "w-1", "w-2") == [("w-1", type(error).__name__)]
    assert pool.records == {}


def test_nothing_more_is_done_once_the_lead_is_lost() -> None:
    pool = a_pretend_pool()
    still = iter([True, False])
    results = list(act(a_plan("w-1", "w-2"), pool, fence=1, may_go_on=lambda: next(still)))
    assert [result.action.worker for result in results] == ["w-1"]
    assert list(pool.records) == ["w-1"]
