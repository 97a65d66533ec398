"""What scaler and imc say to each other about machines: WorkerRequest, Worker and the clouds they come from."""

from __future__ import annotations

import enum
from datetime import date, datetime
from typing import Self

from pydantic import AwareDatetime, Field

from prominence.core.placement import Area, Place
from prominence.core.validation import Document

NAME_PATTERN = r"^[a-z][a-z0-9-]{0,61}[a-z0-9]$"
"""A worker's name is also its host name, its machine's name on the cloud and its tag."""


class Size(Document):
    """Room: of a flavour, of a worker, or what a job needs. Memory and disk in MiB."""

    cpus: int = Field(ge=0)
    memory_mib: int = Field(ge=0)
    disk_mib: int = Field(ge=0)
    gpus: int = Field(default=0, ge=0)

    def fits(self, other: Size) -> bool:
        """Whether `other` has at least this much of everything."""
        return (
            self.cpus <= other.cpus
            and self.memory_mib <= other.memory_mib
            and self.disk_mib <= other.disk_mib
            and self.gpus <= other.gpus
        )

    def __add__(self, other: Size) -> Size:
        return Size(
            cpus=self.cpus + other.cpus,
            memory_mib=self.memory_mib + other.memory_mib,
            disk_mib=self.disk_mib + other.disk_mib,
            gpus=self.gpus + other.gpus,
        )

    def __sub__(self, other: Size) -> Size:
        """What is left, never below nothing."""
        return Size(
            cpus=max(0, self.cpus - other.cpus),
            memory_mib=max(0, self.memory_mib - other.memory_mib),
            disk_mib=max(0, self.disk_mib - other.disk_mib),
            gpus=max(0, self.gpus - other.gpus),
        )


class Market(enum.StrEnum):
    """How a machine is had: to be kept, or, cheaper, until the cloud takes it away."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"


class Flavour(Document):
    """A kind of machine that a cloud offers. price: per hour, in the site's currency.

    The same machine on two markets is two flavours, of two names. lifetime_s: how long such a machine is there, of one
    that is taken away then; None: as long as it is needed.
    """

    cloud: str
    region: str = ""
    name: str
    size: Size
    price: float = 0.0
    market: Market = Market.ON_DEMAND
    lifetime_s: int | None = Field(default=None, gt=0)

    @property
    def place(self) -> Place:
        """Where its machines are."""
        return Place(self.cloud, self.region)


class Tier(enum.StrEnum):
    """Whose a cloud is. Work goes to the next only when the one before has no room."""

    PRIVATE = "private"
    PARTNER = "partner"
    PUBLIC = "public"


class TrackRecord(Document):
    """How machines of a flavour did lately: the share of them that joined the pool, and how long that took."""

    joined: float = 1.0
    boot_s: float = 0.0


class Quota(Document):
    """The most that our workers may have on a cloud together, as the cloud tells; None: it tells nothing of it."""

    machines: int | None = Field(default=None, ge=0)
    cpus: int | None = Field(default=None, ge=0)
    memory_mib: int | None = Field(default=None, ge=0)


class Price(Document):
    """What flavours of this name or pattern cost from a day on, per hour."""

    flavour: str
    per_hour: float
    valid_from: date
    market: Market = Market.ON_DEMAND


class CloudStatus(Document):
    """A cloud as imc sees it now. error: why it cannot be used at present; empty: it can."""

    name: str
    tier: Tier = Tier.PRIVATE
    flavours: tuple[Flavour, ...] = ()
    troubles: dict[str, str] = Field(default_factory=dict, description="Flavours that are left alone now, and why.")
    records: dict[str, TrackRecord] = Field(default_factory=dict, description="How flavours did, as far as is known.")
    limit: int = Field(ge=0, description="Workers that may exist there at once.")
    occupied: int = Field(default=0, ge=0, description="Workers that exist there, or are being made.")
    cpu_limit: int | None = Field(default=None, description="CPUs that workers may have there; none: any number.")
    cpus: int = Field(default=0, ge=0, description="CPUs of the workers that are placed there.")
    groups: tuple[str, ...] = Field(default=(), description="Groups whose jobs may have workers there; none: all.")
    memory_mib: int = Field(default=0, ge=0, description="Memory of the workers that are placed there.")
    quota: Quota = Field(
        default=Quota(), description="What the cloud lets us have. Of it and our limits the less holds."
    )
    image: str = Field(default="", description="What workers start from, as far as it is known.")
    prices: tuple[Price, ...] = Field(
        default=(), description="As declared; what a flavour costs today is in the flavour."
    )
    orphans: tuple[str, ...] = Field(default=(), description="Machines there that bear our mark and have no record.")
    error: str = ""
    retry_at: AwareDatetime | None = None
    retries: dict[str, AwareDatetime] = Field(
        default_factory=dict, description="When flavours that are left alone are tried again, where that is known."
    )
    silent_since: AwareDatetime | None = Field(default=None, description="Since when it cannot be read; none: it can.")
    seen_at: dict[str, AwareDatetime] = Field(
        default_factory=dict, description="When flavours, image, quota and machines were last read from the cloud."
    )

    @property
    def most(self) -> int:
        """Workers that may exist there at once: as declared, or fewer if the cloud says so."""
        return self.limit if self.quota.machines is None else min(self.limit, self.quota.machines)


class Wish(enum.StrEnum):
    """What the scaler wants of a worker; only ever moves from present to drained to absent, or back from drained."""

    PRESENT = "present"
    DRAINED = "drained"
    ABSENT = "absent"


class WorkerPhase(enum.StrEnum):
    """Where a worker is in its life. Written by imc's reconciler alone."""

    REQUESTED = "requested"  # the intent is stored, no cloud has been asked yet or none has answered
    LAUNCHED = "launched"  # the cloud has a node of this name
    REGISTERED = "registered"  # its startd is in the collector
    DRAINING = "draining"  # takes no new jobs, still runs old ones
    DRAINED = "drained"  # takes no new jobs and runs none
    DELETED = "deleted"  # node, ads, token and directories are gone
    FAILED = "failed"  # will never work; the reason says why

    @property
    def is_over(self) -> bool:
        """Nothing of it is left or will come back."""
        return self in _OVER


_OVER = (WorkerPhase.DELETED, WorkerPhase.FAILED)


class WorkerRequest(Document):
    """Body of `PUT /v1/workers/{name}`: may be repeated any number of times with one effect.

    size: the room the worker must have at least. flavour, cloud: preferred by the scaler, "" for any.
    within: where it must be. flavours: CLOUD/FLAVOUR of all that it may be of, none: of any. groups: those of the jobs
    that it is for, as HTCondor's accounting calls them; none: not said. reason: why, for people. fence: revision of the
    scaler's lease; imc refuses lower ones than it has seen.
    """

    size: Size
    cloud: str = ""
    flavour: str = ""
    within: Area = Area()
    flavours: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    wish: Wish = Wish.PRESENT
    reason: str
    fence: int = Field(ge=0)


class Worker(Document):
    """imc's record of a worker: what is wished, and where it is."""

    name: str = Field(pattern=NAME_PATTERN)
    request: WorkerRequest
    requested_at: AwareDatetime
    phase: WorkerPhase = WorkerPhase.REQUESTED
    phase_since: AwareDatetime
    flavour: Flavour | None = Field(default=None, description="Where it was placed; none: not yet.")
    reason: str = Field(default="", description="Why it is in this phase, for people.")
    attempts: int = Field(default=0, description="How often a cloud was asked to create it.")
    taken_at: AwareDatetime | None = Field(
        default=None, description="When it was seen that its cloud takes its machine away; none: it does not."
    )
    refusals: tuple[str, ...] = Field(
        default=(), description="What clouds said that gave it no machine, the last last."
    )

    order: str = Field(default="", description="The id of the request that asked for it first.")

    def in_phase(self, phase: WorkerPhase, now: datetime, reason: str) -> Self:
        """The same worker, having entered `phase` now."""
        return self.model_copy(update={"phase": phase, "phase_since": now, "reason": reason})
