"""Policy: what the operator wants of the scaler. decide gets this and nothing else of the settings."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from prominence.core.settings import Settings
from prominence.scaler.packing import SMALL_CPUS

Limit = Annotated[int, Field(ge=0)]
FlavourName = Annotated[str, Field(pattern=r"^[^/\s]+/[^/\s]+$")]
"""CLOUD/FLAVOUR."""


class Policy(Settings):
    """Limits and times. A worker is anything that imc has a record of and that is not over."""

    max_workers: int = Field(default=10, ge=0, description="Workers that may exist at once, on all clouds together.")
    creations_per_round: int = Field(default=5, ge=1, description="Workers that may be ordered in one round.")
    small_cpus: int = Field(
        default=SMALL_CPUS,
        ge=1,
        description="Jobs of fewer cores share larger workers; others get one of matching size, where none is cheaper.",
    )
    cloud_limits: dict[str, Limit] = Field(
        default_factory=dict, description="Workers that may exist at once on a cloud, where it takes more: by its name."
    )
    flavour_limits: dict[FlavourName, Limit] = Field(
        default_factory=dict, description="Workers of a flavour that may exist at once: by CLOUD/FLAVOUR."
    )
    group_limits: dict[str, Limit] = Field(
        default_factory=dict,
        description="Cores that the jobs of a group may have at once, by its name: no worker is ordered for more.",
    )
    patience_s: float = Field(
        default=0,
        ge=0,
        description="For how long a job may wait, to save money, for room that becomes free, for a cheap machine, or "
        "for other jobs to share one with, before whatever there is is ordered for it; 0: for no time.",
    )
    min_workers: int = Field(default=0, ge=0, description="So many workers exist at least, with or without work.")
    warm_workers: int = Field(
        default=0, ge=0, description="So many workers are kept ready beyond those that have work."
    )
    standing_flavour: FlavourName | None = Field(
        default=None,
        description="CLOUD/FLAVOUR of workers ordered without work; absent: of the cheapest that there is.",
    )
    idle_time_s: float = Field(
        default=600, ge=0, description="A worker that ran nothing for so long is removed, unless it is kept ready."
    )
    idle_boots: float = Field(
        default=1,
        ge=0,
        description="A worker that has a price is kept idle for so many times what workers of its flavour took to "
        "join, where that is known, and never longer than idle_time_s; for a minute only, where idling has lately cost "
        "more than the starts that it saved, and more than a twentieth of what the workers did. 0: always for "
        "idle_time_s.",
    )
    failed_jobs_max: int = Field(
        default=3,
        ge=0,
        description="A worker that has failed so many different jobs in a row, by its own fault, is drained and "
        "replaced; 0: none is.",
    )
    collector_grace_s: float = Field(
        default=120, ge=0, description="So long after its start the collector may not have heard of every worker."
    )
    snapshot_max_age_s: float = Field(default=30, gt=0, description="Nothing is done about an older snapshot.")
    failure_backoff_s: float = Field(
        default=30, ge=0, description="A flavour that failed twice in a row is left alone so long; doubles each time."
    )
    failure_backoff_max_s: float = Field(default=1800, ge=0, description="The longest such time.")

    @property
    def idle_time(self) -> timedelta:
        return timedelta(seconds=self.idle_time_s)

    @property
    def patience(self) -> timedelta:
        return timedelta(seconds=self.patience_s)

    @property
    def collector_grace(self) -> timedelta:
        return timedelta(seconds=self.collector_grace_s)

    @property
    def snapshot_max_age(self) -> timedelta:
        return timedelta(seconds=self.snapshot_max_age_s)

    def backoff(self, failures: int) -> timedelta:
        """How long to leave a flavour alone after so many failures in a row. One may be chance."""
        if failures < 2:
            return timedelta(0)
        doublings = min(failures - 2, 30)
        return timedelta(seconds=min(self.failure_backoff_s * 2**doublings, self.failure_backoff_max_s))
