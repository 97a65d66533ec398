"""What the scaler needs of the world: to see queue and pool, and to ask for workers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from prominence.core.errors import ProminenceError
from prominence.core.machines import CloudStatus, Worker, WorkerRequest
from prominence.core.scaling import Action, ScalingPlan
from prominence.core.snapshot import Ad, Demand, ExecutePoint, PoolSnapshot


class PoolSource(Protocol):
    """Queue and collector, as they are now. Every verb raises Unavailable when it cannot be known."""

    def demand(self, walltimes: bool = False) -> Sequence[Demand]:
        """Idle jobs, grouped: one row for any number of jobs of one size, user and group with the same requirements,
        and with `walltimes` of one walltime.

        Their ads have Requirements, unless these are empty, and all attributes of the job that they refer to.
        """

    def group_cpus(self) -> Mapping[str, int]:
        """Cores of running jobs by their group, as HTCondor's accounting calls it; those without a group left out."""

    def execute_points(self) -> Sequence[ExecutePoint]:
        """Machines whose startds are in the collector. idle_since is left to whoever remembers the last look.

        A slot that is claimed and runs nothing counts as claimed and as free: the job that claimed it may still be
        listed as idle, and starts there.
        """

    def ads(self, attributes: Collection[str]) -> Mapping[str, Ad]:
        """By machine, what it advertises of these as if nothing ran there, and its START unless it drains.

        And of one that its cloud takes away that it does.
        """

    def collector_started_at(self) -> datetime:
        """Since when the collector has been listening: it has not heard of anything earlier."""


class Provisioner(Protocol):
    """Whoever makes workers.

    Every verb raises Unavailable when it does not answer, Unauthenticated or Forbidden when it does not accept us.
    """

    def workers(self) -> Sequence[Worker]:
        """Every worker there is a record of, those that are over included for some time."""

    def clouds(self) -> Sequence[CloudStatus]:
        """Where workers can be made."""

    def request(self, name: str, request: WorkerRequest) -> None:
        """Make `request` what is wished of the worker `name`. Repeating it has no further effect.

        Raises Conflict when its fence is lower than one seen, or the wish cannot follow the present one. When it
        raises Unavailable it may have been done.
        """


class QueueEvents(Protocol):
    """News of the queue between two looks at it. Only a hint: whoever misses some sees the jobs a round later."""

    def heard(self) -> bool:
        """Whether a job has become idle since this was asked last. Never raises."""

    def failures(self) -> Mapping[str, int]:
        """By worker: how many different jobs in a row it has failed. Of those that were heard of; see Trials."""


@dataclass(frozen=True)
class RoundReport:
    """What a leader's round saw and decided. decide_s: how long deciding took, in seconds."""

    snapshot: PoolSnapshot
    plan: ScalingPlan
    decide_s: float


class Meter(Protocol):
    """Whoever wants to know how the scaler does. No verb raises."""

    def round(self) -> AbstractContextManager[None]:
        """Around each round."""

    def leads(self, it_does: bool) -> None:
        """Whether this scaler leads."""

    def decided(self, report: RoundReport) -> None:
        """A plan was made, and is carried out next."""

    def acted(self, action: Action, error: ProminenceError | None) -> None:
        """imc was asked for this. error: why in vain."""
