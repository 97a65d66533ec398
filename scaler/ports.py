"""What the scaler needs of the world: to see queue and pool, and to ask for workers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from prominence.core.machines import CloudStatus, Worker, WorkerRequest
from prominence.core.snapshot import Demand, ExecutePoint


class PoolSource(Protocol):
    """Queue and collector, as they are now. Every verb raises Unavailable when it cannot be known."""

    def demand(self) -> Sequence[Demand]:
        """Idle jobs, grouped: one row for any number of jobs of one size, user and group."""

    def execute_points(self) -> Sequence[ExecutePoint]:
        """Machines whose startds are in the collector. idle_since is left to whoever remembers the last look.

        A slot that is claimed and runs nothing counts as claimed and as free: the job that claimed it may still be
        listed as idle, and starts there.
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
