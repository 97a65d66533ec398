"""PoolSnapshot: what the scaler saw in one look at queue, collector and imc.

A part that could not be read is None, with the reason in `unknown`: unknown is not empty, and nothing is done on
account of it.
"""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from prominence.core.machines import CloudStatus, Flavour, Size, Worker
from prominence.core.validation import Document


class Demand(Document):
    """Idle jobs that are alike. user and group are those whose fair share they count against."""

    size: Size
    user: str
    group: str = ""
    jobs: int = Field(ge=1)


class ExecutePoint(Document):
    """A machine whose startd is in the collector. Its name is the worker's."""

    name: str
    total: Size
    free: Size
    claimed_slots: int = Field(ge=0)
    draining: bool = False
    idle_since: AwareDatetime | None = Field(default=None, description="Since when no slot has been claimed.")
    last_heard_at: AwareDatetime


class SeenFlavour(Document):
    """What a machine of this flavour offered to jobs when last seen: a bit less than what the cloud calls it."""

    flavour: Flavour
    total: Size
    seen_at: AwareDatetime


class PoolSnapshot(Document):
    """All of it, at one moment."""

    taken_at: AwareDatetime
    demand: tuple[Demand, ...] | None = None
    execute_points: tuple[ExecutePoint, ...] | None = None
    workers: tuple[Worker, ...] | None = None
    clouds: tuple[CloudStatus, ...] | None = None
    collector_started_at: AwareDatetime | None = None
    seen_flavours: tuple[SeenFlavour, ...] = ()
    unknown: dict[str, str] = Field(default_factory=dict, description="Part -> why it could not be read.")
