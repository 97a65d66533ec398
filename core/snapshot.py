"""PoolSnapshot: what the scaler saw in one look at queue, collector and imc.

A part that could not be read is None, with the reason in `unknown`: unknown is not empty, and nothing is done on
account of it.
"""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from prominence.core.lifetimes import ANY, Walltimes
from prominence.core.machines import CloudStatus, Flavour, Size, Worker
from prominence.core.placement import Place, Placement
from prominence.core.validation import Document

Ad = tuple[tuple[str, str], ...]
"""A ClassAd: names of attributes, and expressions as text."""


class Demand(Document):
    """Idle jobs that are alike. user and group are those whose fair share they count against.

    nodes: each so many of them are one job, which needs room for all of them at the same time.
    ad: as the queue tells it, Requirements and what it refers to. A snapshot has `placement.kinds` in its place; and
    where jobs that are else alike meet other machines `requirements`, the digests of theirs.
    unmet: of what they require the parts that no flavour has, where none has all of it.
    walltime_s: as the queue tells it, where some machines are there for a time only. A snapshot has in its place
    `walltimes`, of all jobs that meet the same machines; brief: kinds of flavours that lack nothing but time for them.
    """

    size: Size
    user: str
    group: str = ""
    placement: Placement = Placement()
    jobs: int = Field(ge=1)
    nodes: int = Field(default=1, ge=1)
    ad: Ad = ()
    requirements: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    walltime_s: int | None = None
    walltimes: Walltimes = ANY
    brief: tuple[int, ...] = ()


class ExecutePoint(Document):
    """A machine whose startd is in the collector. Its name is the worker's. cloud, region: "" where it tells none.

    kind: see `placement`. ends_at: when its time is over; None: it has no end.
    """

    name: str
    cloud: str = ""
    region: str = ""
    total: Size
    free: Size
    claimed_slots: int = Field(ge=0)
    draining: bool = False
    idle_since: AwareDatetime | None = Field(default=None, description="Since when no slot has been claimed.")
    hardly_used_since: AwareDatetime | None = Field(
        default=None, description="Since when little of it has been claimed; told where there is patience."
    )
    last_heard_at: AwareDatetime
    failed_jobs: int = Field(default=0, ge=0, description="Different jobs in a row that it has failed, by its fault.")
    kind: int = 0
    ends_at: AwareDatetime | None = None

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(self.cloud, self.region, self.kind)


class SeenFlavour(Document):
    """What a machine of this flavour offered to jobs when last seen: a bit less than what the cloud calls it."""

    flavour: Flavour
    total: Size
    seen_at: AwareDatetime


class SeenStart(Document):
    """How long a worker took from being ordered until it had joined the pool."""

    worker: str
    cloud: str
    flavour: str
    seconds: float = Field(ge=0)
    joined_at: AwareDatetime


class SeenIdle(Document):
    """How long a worker ran nothing, until a job came (used) or it was let go.

    life_s: of one that was let go, since it joined.
    """

    worker: str
    cloud: str
    flavour: str
    seconds: float = Field(ge=0)
    used: bool
    life_s: float = Field(default=0, ge=0)
    until: AwareDatetime


class SeenWait(Document):
    """So many of the idle jobs that are alike, and since when they have been waiting. placement: as jobs say it."""

    size: Size
    user: str
    group: str = ""
    placement: Placement = Placement()
    nodes: int = Field(default=1, ge=1)
    jobs: int = Field(ge=1)
    since: AwareDatetime


PARTS = ("demand", "execute_points", "workers", "clouds")
"""Of a snapshot, as `unknown` and `read_at` call them: what queue, collector and imc tell."""


class PoolSnapshot(Document):
    """All of it, at one moment.

    version: of the meaning of what is in it. read_at: part -> when it was last read, also of a part that is unknown
    now. seen_starts, seen_idle: the latest of each flavour. flavour_kinds: of its machines (see `placement`), by
    CLOUD/FLAVOUR; 0 where it is left out.
    """

    version: int = 1
    taken_at: AwareDatetime
    demand: tuple[Demand, ...] | None = None
    group_cpus: dict[str, int] = Field(
        default_factory=dict, description="Cores of running jobs, by group as HTCondor's accounting calls it."
    )
    execute_points: tuple[ExecutePoint, ...] | None = None
    workers: tuple[Worker, ...] | None = None
    clouds: tuple[CloudStatus, ...] | None = None
    collector_started_at: AwareDatetime | None = None
    seen_flavours: tuple[SeenFlavour, ...] = ()
    seen_starts: tuple[SeenStart, ...] = ()
    seen_idle: tuple[SeenIdle, ...] = ()
    seen_waits: tuple[SeenWait, ...] = ()
    flavour_kinds: dict[str, int] = Field(default_factory=dict)
    read_at: dict[str, AwareDatetime] = Field(default_factory=dict)
    unknown: dict[str, str] = Field(default_factory=dict, description="Part -> why it could not be read.")
