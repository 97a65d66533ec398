"""The scaler's latest plan, if it can be had: jobs without explanations are better than none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from prominence.core import logs, units
from prominence.core.errors import Rejected, Unavailable
from prominence.core.published import read_plan
from prominence.core.scaling import Explanation, ScalingPlan
from prominence.restapi.services import Services

log = logs.get(__name__)

PLAN_IS_GOOD_FOR = timedelta(minutes=5)
"""An older plan says nothing any more: the scaler has stopped."""


@dataclass(frozen=True)
class Latest:
    """trouble: a clause that says why there is no plan."""

    plan: ScalingPlan | None
    trouble: str = ""


def latest(services: Services) -> Latest:
    """The plan of now."""
    try:
        plan = read_plan(services.store)
    except Unavailable as error:
        log.warning("the scaler's plan cannot be read", error=str(error))
        return Latest(None, "what it has published cannot be read at the moment")
    except Rejected as error:
        log.warning("the scaler's plan cannot be read", error=str(error))
        return Latest(None, "it is of another version than the API")
    if plan is None:
        return Latest(None, "it has not made a plan yet")
    age = services.clock() - plan.made_at
    if age > PLAN_IS_GOOD_FOR:
        return Latest(None, f"it made its last plan {units.plainly(round(age.total_seconds()))} ago")
    return Latest(plan)


def explanations(services: Services) -> tuple[Explanation, ...]:
    """Why jobs wait, as the scaler says."""
    plan = latest(services).plan
    return plan.explanations if plan is not None else ()
