"""What an operator can set of imc."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from prominence.core.machines import Flavour, Size
from prominence.core.settings import Settings
from prominence.imc.lifecycle import Deadlines

_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"


class FlavourSettings(Settings):
    """A kind of worker."""

    name: str = Field(pattern=_NAME, description="Its name.")
    cpus: int = Field(ge=1, description="Cores it advertises; may be more than the host has.")
    memory_mib: int = Field(ge=128, description="Memory for jobs, in MiB.")
    disk_mib: int = Field(default=20 * 1024, ge=0, description="Disk for jobs, in MiB.")
    price: float = Field(default=0.0, ge=0, description="Per hour, in the site's currency.")


class DockerSettings(Settings):
    """The cloud whose machines are containers on this host."""

    name: str = Field(default="docker", pattern=_NAME, description="The cloud's name.")
    socket: Path = Field(
        default=Path("/var/run/docker.sock"), description="The Docker engine's socket: the same path here and there."
    )
    image: str = Field(default="prominence-worker", description="Image of a worker.")
    network: str = Field(description="Docker network of the pool, which exists already.")
    state_dir: Path = Field(description="The pool's state on the host, mounted into imc at the same path.")
    limit: int = Field(default=4, ge=0, description="Workers that may exist at once.")
    flavours: tuple[FlavourSettings, ...] = Field(
        default=(
            FlavourSettings(name="small", cpus=2, memory_mib=4000),
            FlavourSettings(name="medium", cpus=4, memory_mib=8000),
            FlavourSettings(name="large", cpus=8, memory_mib=16000),
        ),
        min_length=1,
        description="Kinds of worker.",
    )
    devices: tuple[str, ...] = Field(default=("/dev/fuse",), description="Devices of the host that workers get.")
    outbound_network: str = Field(
        default="", description="Docker network of jobs' containers with task_network outbound; prominence-POOL-tasks."
    )
    docker_tasks: bool = Field(default=True, description="Give workers' brokers the Docker socket.")

    @model_validator(mode="after")
    def _names_differ(self) -> DockerSettings:
        names = [flavour.name for flavour in self.flavours]
        if len(set(names)) < len(names):
            raise ValueError("two flavours have the same name")
        if not self.state_dir.is_absolute():
            raise ValueError("state_dir must be an absolute path")
        return self

    def catalogue(self) -> tuple[Flavour, ...]:
        """The flavours as documents."""
        return tuple(
            Flavour(
                cloud=self.name,
                name=flavour.name,
                size=Size(cpus=flavour.cpus, memory_mib=flavour.memory_mib, disk_mib=flavour.disk_mib),
                price=flavour.price,
            )
            for flavour in self.flavours
        )


class PoolSettings(Settings):
    """The HTCondor pool that workers join."""

    name: str = Field(default="default", pattern=_NAME, description="Its name; part of workers' marks.")
    collector: str = Field(description="host[:port] of the collector, as workers reach it.")
    trust_domain: str = Field(default="prominence", description="The pool's trust domain.")
    signing_key: str = Field(default="POOL", pattern=_NAME, description="Name of the key that signs workers' tokens.")
    keys_dir: Path = Field(description="Directory of that key, readable by imc alone.")
    token_lifetime_s: int = Field(default=7 * 86400, gt=0, description="How long a worker's token is good, in seconds.")
    revocations_file: Path = Field(description="Part of the collector's configuration that names revoked tokens.")
    proxies_file: Path | None = Field(
        default=None,
        description="File with the proxies that workers fetch images through: a JSON object of http_proxy, https_proxy "
        "and no_proxy. It may hold a password.",
    )
    task_network: Literal["none", "outbound"] = Field(default="none", description="Network of a job's containers.")


class ImcSettings(Settings):
    """All of it."""

    host: str = Field(default="127.0.0.1", description="Address that the API listens on.")
    port: int = Field(default=9700, ge=0, le=65535, description="Port that the API listens on.")
    token_file: Path = Field(description="File with the bearer token that callers show.")
    etcd_endpoints: tuple[str, ...] = Field(
        default=("127.0.0.1:2379",), min_length=1, description="host:port of each member of etcd."
    )
    interval_s: float = Field(default=2.0, gt=0, le=3, description="Seconds between rounds when there is no news.")
    lease_s: int = Field(
        default=8, ge=8, description="After this time without a sign of life another imc takes over, or this one anew."
    )
    parallel: int = Field(default=8, ge=1, description="Machines that may be made or removed at the same time.")
    log_file: Path | None = Field(default=None, description="Where to log; standard error when not set.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="What to log.")
    deadlines: Deadlines = Field(default=Deadlines(), description="How long a worker may stay in a phase.")
    pool: PoolSettings = Field(description="The HTCondor pool.")
    docker: DockerSettings = Field(description="The Docker cloud.")
