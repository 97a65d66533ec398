"""ScalingPlan: what the scaler decided in one round, with a reason for every action and for every job that waits."""

from __future__ import annotations

import enum

from pydantic import AwareDatetime, Field

from prominence.core.machines import Size
from prominence.core.reasons import Reason, explain
from prominence.core.validation import Document

LEADER_KEY = "/prominence/scaler/leader"


class Act(enum.StrEnum):
    """What can be done about a worker."""

    CREATE = "create"
    DRAIN = "drain"
    UNDRAIN = "undrain"
    DELETE = "delete"


class Action(Document):
    """One thing to do. size, cloud and flavour: of the worker; the reason is for people."""

    act: Act
    worker: str
    reason: str
    size: Size
    cloud: str = ""
    flavour: str = ""


class Explanation(Document):
    """Why the idle jobs of one demand (same size, user, group) are not running yet."""

    size: Size
    user: str
    group: str = ""
    jobs: int
    reason: Reason
    details: dict[str, str] = Field(default_factory=dict)

    def sentence(self) -> str:
        """For people."""
        return explain(self.reason, **self.details)


class ScalingPlan(Document):
    """The decision of one round. notes: what was seen and left alone, with the reason."""

    made_at: AwareDatetime
    actions: tuple[Action, ...] = ()
    explanations: tuple[Explanation, ...] = ()
    notes: tuple[str, ...] = ()
