"""What an operator can set of imc."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from prominence.core.keyvalue.tls import EtcdTls
from prominence.core.placement import PLACE_NAME
from prominence.core.settings import Settings
from prominence.imc.declared import CloudSettings
from prominence.imc.declared_terms import AbsolutePath, CloudName
from prominence.imc.lifecycle import Deadlines

_NAME = rf"^{PLACE_NAME}$"


class PoolSettings(Settings):
    """The HTCondor pool that workers join."""

    name: str = Field(default="default", pattern=_NAME, description="Its name; part of workers' marks.")
    collector: str = Field(
        description="host[:port] of the collector, as workers reach it; of two, with a comma between them."
    )
    collector_here: str = Field(
        default="",
        description="The one of these that reads revocations_file, where there are two; each has an imc beside it.",
    )
    trust_domain: str = Field(default="prominence", description="The pool's trust domain.")
    signing_key: str = Field(default="POOL", pattern=_NAME, description="Name of the key that signs workers' tokens.")
    keys_dir: Path = Field(description="Directory of that key, readable by imc alone.")
    token_lifetime_s: int = Field(default=7 * 86400, gt=0, description="How long a worker's token is good, in seconds.")
    owners_token_lifetime_s: int = Field(
        default=7 * 86400, gt=0, description="How long a token for a user's own workers is good, in seconds."
    )
    revocations_file: Path = Field(description="Part of the collector's configuration that names revoked tokens.")
    proxies_file: Path | None = Field(
        default=None,
        description="File with the proxies that workers fetch images through: a JSON object of http_proxy, https_proxy "
        "and no_proxy. It may hold a password.",
    )
    images_mib: int = Field(
        default=20 * 1024,
        ge=0,
        description="How much of a worker's disk images that no job uses may keep, for each of its runtimes, in MiB.",
    )
    runtimes_allowed: tuple[Literal["udocker", "process"], ...] = Field(
        default=(),
        description="Runtimes that isolate nothing, which jobs may use on workers all the same: udocker, where it is "
        "installed, and process, which is no container at all.",
    )
    lost_after_s: int = Field(
        default=1800,
        ge=0,
        description="A worker that has had no job and no answer of the collector for so long ends by itself. 0: never.",
    )
    unused_after_s: int = Field(
        default=86400,
        ge=0,
        description="The same, when it has had no job but the collector answers: longer than the scaler, or who else "
        "removes workers, may leave one idle. 0: never.",
    )
    task_network: Literal["none", "outbound"] = Field(default="none", description="Network of a job's containers.")


class JoiningSettings(Settings):
    """The door at which workers with user data get their tokens. They reach it, and imc's API they do not."""

    url: str = Field(
        pattern=r"^https?://[^/?#\s]+(/[^?#\s]*)?$",
        description="The door's address as workers see it: https://, of the proxy in front of it that ends TLS. With "
        "http:// whoever can listen on the network between takes the token.",
    )
    host: str = Field(default="127.0.0.1", description="Address that the door listens on.")
    port: int = Field(default=9701, ge=0, le=65535, description="Port that the door listens on.")
    ca_file: AbsolutePath | None = Field(
        default=None, description="Certificates that workers trust for url; absent: those that their system trusts."
    )
    secret_lifetime_s: int = Field(
        default=1800, gt=0, description="Within this time after a cloud was asked for it a worker must show its secret."
    )
    trusted_proxy: str = Field(
        default="", description="Address of that proxy, whose X-Forwarded-For is believed; empty: nobody's is."
    )


class MetricsSettings(Settings):
    """Figures for Prometheus, at /metrics. Whoever reaches the address may read them: they name nobody."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int | None = Field(default=9703, ge=1, le=65535, description="Port to listen on. None: nobody is told.")


class ImcSettings(Settings):
    """All of it."""

    host: str = Field(default="127.0.0.1", description="Address that the API listens on.")
    port: int = Field(default=9700, ge=0, le=65535, description="Port that the API listens on.")
    token_file: Path = Field(description="File with the bearer token that callers show.")
    owners_token_file: Path | None = Field(
        default=None,
        description="File with the bearer token that the REST API shows to get tokens for workers of users; absent: "
        "nobody gets any.",
    )
    etcd_endpoints: tuple[str, ...] = Field(
        default=("127.0.0.1:2379",), min_length=1, description="host:port of each member of etcd."
    )
    etcd_tls: EtcdTls | None = Field(
        default=None, description="Certificates for etcd; absent: members are spoken to without TLS."
    )
    interval_s: float = Field(default=2.0, gt=0, le=3, description="Seconds between rounds when there is no news.")
    lease_s: int = Field(
        default=8, ge=8, description="After this time without a sign of life another imc takes over, or this one anew."
    )
    parallel: int = Field(default=8, ge=1, description="Machines that may be made or removed at the same time.")
    log_file: Path | None = Field(default=None, description="Where to log; standard error when not set.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="What to log.")
    metrics: MetricsSettings = Field(default=MetricsSettings(), description="Where Prometheus reads figures.")
    deadlines: Deadlines = Field(default=Deadlines(), description="How long a worker may stay in a phase.")
    pool: PoolSettings = Field(description="The HTCondor pool.")
    joining: JoiningSettings | None = Field(
        default=None, description="Where workers of clouds with virtual machines get their tokens; those need it."
    )
    clouds: dict[CloudName, CloudSettings] = Field(
        default_factory=dict,
        description="Where machines come from, by name; none: the pool has static workers alone.",
    )
