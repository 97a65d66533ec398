"""What scaler and imc say to each other about machines: WorkerRequest, Worker and the clouds they come from."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Self

from pydantic import AwareDatetime, Field

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


class Flavour(Document):
    """A kind of machine that a cloud offers. price: per hour, in the site's currency."""

    cloud: str
    region: str = ""
    name: str
    size: Size
    price: float = 0.0


class CloudStatus(Document):
    """A cloud as imc sees it now. error: why it cannot be used at present; empty: it can."""

    name: str
    flavours: tuple[Flavour, ...] = ()
    limit: int = Field(ge=0, description="Workers that may exist there at once.")
    error: str = ""
    retry_at: AwareDatetime | None = None


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
        return self in (WorkerPhase.DELETED, WorkerPhase.FAILED)


class WorkerRequest(Document):
    """Body of `PUT /v1/workers/{name}`: may be repeated any number of times with one effect.

    size: the room the worker must have at least. flavour, cloud: preferred by the scaler, "" for any.
    reason: why, for people. fence: revision of the scaler's lease; imc refuses lower ones than it has seen.
    """

    size: Size
    cloud: str = ""
    flavour: str = ""
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

    def in_phase(self, phase: WorkerPhase, now: datetime, reason: str) -> Self:
        """The same worker, having entered `phase` now."""
        return self.model_copy(update={"phase": phase, "phase_since": now, "reason": reason})
