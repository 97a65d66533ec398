"""Settings of the scaler. From a file and PROMINENCE_SCALER_* variables; see core.settings."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from prominence.core.keyvalue.tls import EtcdTls
from prominence.core.settings import Settings
from prominence.scaler.loop import Pace
from prominence.scaler.policy import Policy


class ImcSettings(Settings):
    """Where workers are ordered."""

    url: str = Field(default="http://127.0.0.1:9700", pattern="^https?://", description="Base address of imc's API.")
    token_file: Path = Field(description="File that holds the bearer token for imc.")
    timeout_s: float = Field(default=5, gt=0, description="For each call to imc.")


class HTCondorSettings(Settings):
    """Which queue and collector are looked at."""

    collector: str = Field(default="", description="host[:port]; empty: as HTCondor's own configuration says.")
    schedd: str = Field(default="", description="Name of the schedd; empty: the one on this machine.")
    events_file: Path | None = Field(
        default=None,
        description="HTCondor's EVENT_LOG, in JSON: a job that becomes idle is seen at once. None: at the next round.",
    )


class MetricsSettings(Settings):
    """Figures for Prometheus, at /metrics. Whoever reaches the address may read them: they name no user and no job."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int | None = Field(default=9702, ge=1, le=65535, description="Port to listen on. None: nobody is told.")


class ScalerSettings(Settings):
    """All of it."""

    policy: Policy = Field(default=Policy(), description="Limits and times.")
    etcd_endpoints: tuple[str, ...] = Field(
        default=("127.0.0.1:2379",), min_length=1, description="host:port of each member of etcd."
    )
    etcd_tls: EtcdTls | None = Field(
        default=None, description="Certificates for etcd; absent: members are spoken to without TLS."
    )
    imc: ImcSettings = Field(description="Where workers are ordered.")
    htcondor: HTCondorSettings = Field(default=HTCondorSettings(), description="Which queue and collector to look at.")
    metrics: MetricsSettings = Field(default=MetricsSettings(), description="Where Prometheus reads figures.")
    interval_s: float = Field(default=5, gt=0, description="From the beginning of a round to that of the next.")
    least_interval_s: float = Field(
        default=0.5, gt=0, description="The same, when jobs become idle all the time (htcondor.events_file)."
    )
    settle_s: float = Field(
        default=0.2, ge=0, description="From the first job that becomes idle to the round, for others to come with it."
    )
    leader_ttl_s: int = Field(default=15, ge=2, description="A leader that is not heard of for so long is replaced.")
    plans_file: Path | None = Field(
        default=None, description="Plans are kept here as JSON lines, by size. None: they are not kept."
    )
    log_file: Path | None = Field(default=None, description="None: the log goes to stderr.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="What to log.")

    @property
    def pace(self) -> Pace:
        return Pace(self.interval_s, self.least_interval_s, self.settle_s)

    @model_validator(mode="after")
    def _lease_outlasts_a_round(self) -> ScalerSettings:
        if self.leader_ttl_s <= self.interval_s:
            raise ValueError("leader_ttl_s must be longer than interval_s, or nobody stays the leader")
        return self
