"""ScalingPlan: what the scaler decided in one round, with a reason for every action and for every job that waits."""

from __future__ import annotations

import enum

from pydantic import AwareDatetime, Field

from prominence.core.lifetimes import ANY, Walltimes
from prominence.core.machines import Size
from prominence.core.placement import Area, Placement
from prominence.core.reasons import Reason, explain
from prominence.core.validation import Document

LEADER_KEY = "/prominence/scaler/leader"


class Act(enum.StrEnum):
    """What can be done about a worker."""

    CREATE = "create"
    DRAIN = "drain"
    UNDRAIN = "undrain"
    DELETE = "delete"


class Cause(enum.StrEnum):
    """Why an action is taken, in a word that can be counted."""

    NOT_SAID = ""
    JOBS = "jobs"  # wait, and have a use for the worker
    MIN_WORKERS = "min_workers"
    WARM_WORKERS = "warm_workers"
    IDLE = "idle"  # for longer than the policy says
    FAILING = "failing"  # job after job
    IN_THE_WAY = "in_the_way"  # of workers that waiting jobs need
    DEAR = "dear"  # for what it does: it takes no more jobs while there is patience
    DRAINED = "drained"  # and it runs nothing more


class Action(Document):
    """One thing to do. size, cloud, flavour: of the worker; within: where it must be; the reason is for people.

    flavours: CLOUD/FLAVOUR of all that it may be of; none: of any.
    groups: of the jobs that a new worker is for, as HTCondor's accounting calls them.
    """

    act: Act
    worker: str
    reason: str
    cause: Cause = Cause.NOT_SAID
    size: Size
    cloud: str = ""
    flavour: str = ""
    within: Area = Area()
    flavours: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Start(Document):
    """When jobs may start: between so many seconds after `since`, or after the reader's now where that is None.

    What is None is not known. basis: a clause for people that says what it was reckoned from, or why it is not known.
    """

    basis: str
    soonest_s: float | None = None
    latest_s: float | None = None
    since: AwareDatetime | None = None


class Explanation(Document):
    """Why the idle jobs of one demand (same size, user, group, placement, nodes) are not running yet.

    jobs: as the demand counts them, each node for itself. details: what fills the gaps of the reason's sentence, and
    for programs `until`, when it will be tried again, as ISO 8601. workers: the first of those that they have room on.
    since: from when on there have been jobs of this demand with this reason. requirements, walltimes: as the demand
    has them.
    """

    size: Size
    user: str
    group: str = ""
    placement: Placement = Placement()
    jobs: int
    nodes: int = 1
    reason: Reason
    details: dict[str, str] = Field(default_factory=dict)
    workers: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    walltimes: Walltimes = ANY
    since: AwareDatetime | None = None
    start: Start | None = None

    def sentence(self) -> str:
        """For people."""
        return explain(self.reason, **self.details)


class Part(Document):
    """Of what was looked at. read_at: when it was last seen, None: never; trouble: why it cannot be seen now, or ""."""

    read_at: AwareDatetime | None = None
    trouble: str = ""


class Inputs(Document):
    """What a plan was made from. snapshot, policy: SHA-256 of each as JSON. parts: by the snapshot's names.

    max_workers: that may exist at once.
    """

    snapshot: str
    policy: str
    max_workers: int
    parts: dict[str, Part] = Field(default_factory=dict)


class ScalingPlan(Document):
    """The decision of one round. notes: what was seen and left alone, with the reason.

    request: the id under which imc was asked, by which its log is searched; "" where it was not.
    """

    made_at: AwareDatetime
    inputs: Inputs | None = None
    actions: tuple[Action, ...] = ()
    explanations: tuple[Explanation, ...] = ()
    notes: tuple[str, ...] = ()
    request: str = ""
