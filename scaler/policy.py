"""Policy: what the operator wants of the scaler. decide gets this and nothing else of the settings."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from prominence.core.settings import Settings


class Policy(Settings):
    """Limits and times. A worker is anything that imc has a record of and that is not over."""

    max_workers: int = Field(default=10, ge=0, description="Workers that may exist at once, on all clouds together.")
    creations_per_round: int = Field(default=5, ge=1, description="Workers that may be ordered in one round.")
    idle_time_s: float = Field(default=600, ge=0, description="A worker that ran nothing for so long is removed.")
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
