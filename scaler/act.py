"""Carry out a plan, one action at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prominence.core.errors import (
    CredentialsRefused,
    Forbidden,
    ProminenceError,
    Unauthenticated,
    Unavailable,
)
from prominence.core.machines import Wish, WorkerRequest
from prominence.core.scaling import Act, Action, ScalingPlan
from prominence.scaler.ports import Provisioner

WISHES = {
    Act.CREATE: Wish.PRESENT,
    Act.UNDRAIN: Wish.PRESENT,
    Act.DRAIN: Wish.DRAINED,
    Act.DELETE: Wish.ABSENT,
}

_HOPELESS = (CredentialsRefused, Unauthenticated, Forbidden, Unavailable)
"""After these the rest of the plan would fare no better. Any other error concerns one action only."""


@dataclass(frozen=True)
class Result:
    """An action that was tried. error: why it was not done; after Unavailable it may have been."""

    action: Action
    error: ProminenceError | None = None


def act(plan: ScalingPlan, provisioner: Provisioner, fence: int, may_go_on: Callable[[], bool]) -> Iterator[Result]:
    """Each action with its result, as it is done.

    `may_go_on` is asked before each. What is not tried is lost with the plan; the next round decides anew.
    """
    for action in plan.actions:
        if not may_go_on():
            return
        try:
            provisioner.request(action.worker, request_for(action, fence))
        except ProminenceError as error:
            yield Result(action, error)
            if isinstance(error, _HOPELESS):
                return
        else:
            yield Result(action)


def request_for(action: Action, fence: int) -> WorkerRequest:
    """The action as imc is asked for it."""
    return WorkerRequest(
        size=action.size,
        cloud=action.cloud,
        flavour=action.flavour,
        within=action.within,
        flavours=action.flavours,
        groups=action.groups,
        wish=WISHES[action.act],
        reason=action.reason,
        fence=fence,
    )
