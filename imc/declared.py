"""The clouds that an operator declares, each by its name in the table `clouds`.

A cloud is one account in one place: two regions, or two projects, are two clouds, so that trouble in one of them is no
trouble in the other. Credentials are never here, only the files that hold them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Discriminator, Field, Tag, field_validator

from prominence.core.machines import Flavour, Size
from prominence.core.settings import Settings
from prominence.core.validation import of_kind, said_kind
from prominence.imc.declared_machines import AzureSettings, EC2Settings, GoogleSettings, OpenStackSettings
from prominence.imc.declared_slurm import SlurmSettings
from prominence.imc.declared_terms import NAME, NAME_OR_NONE, AbsolutePath, CloudInitSettings, TermsSettings


class FlavourSettings(Settings):
    """A kind of worker."""

    name: str = Field(pattern=NAME, description="Its name.")
    cpus: int = Field(ge=1, description="Cores it advertises; may be more than the host has.")
    memory_mib: int = Field(ge=128, description="Memory for jobs, in MiB.")
    disk_mib: int = Field(default=20 * 1024, ge=0, description="Disk for jobs, in MiB.")
    price: float = Field(default=0.0, ge=0, description="Per hour, in the site's currency.")
    region: str = Field(
        default="",
        pattern=NAME_OR_NONE,
        description="The cloud's region that it is in, for jobs that ask for one.",
    )

    def offered(self, cloud: str) -> Flavour:
        """As a document of the cloud of this name."""
        size = Size(cpus=self.cpus, memory_mib=self.memory_mib, disk_mib=self.disk_mib)
        return Flavour(cloud=cloud, region=self.region, name=self.name, size=size, price=self.price)


_Flavours = TypeVar("_Flavours", bound=Sequence[FlavourSettings])


def _names_differ(flavours: _Flavours) -> _Flavours:
    names = [flavour.name for flavour in flavours]
    if len(set(names)) < len(names):
        raise ValueError("two flavours have the same name")
    return flavours


class DockerSettings(TermsSettings):
    """The cloud whose machines are containers on this host."""

    type: Literal["docker"] = Field(description="Containers of the Docker engine on this host.")
    socket: Path = Field(
        default=Path("/var/run/docker.sock"), description="The Docker engine's socket: the same path here and there."
    )
    image: str = Field(default="prominence-worker", description="Image of a worker.")
    network: str = Field(description="Docker network of the pool, which exists already.")
    state_dir: AbsolutePath = Field(description="The pool's state on the host, mounted into imc at the same path.")
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

    _names_differ = field_validator("flavours")(_names_differ)

    def catalogue(self, cloud: str) -> tuple[Flavour, ...]:
        """The flavours as documents of the cloud of this name."""
        return tuple(flavour.offered(cloud) for flavour in self.flavours)


class ManagedFlavourSettings(FlavourSettings):
    """A kind of worker that an Infrastructure Manager finds a machine for."""

    instance_type: str = Field(
        default="", description="The cloud's name for it; absent: the least of the cloud's that has as much."
    )


TAKEN = frozenset(
    ("cpu.count", "memory.size", "disks.free_size", "disk.0.image.url", "instance_type", "instance_tags")
    + ("net_interface.0.connection", "net_interface.0.dns_name")
)
"""Features of a RADL system that follow from other settings, or are our mark."""

Radl = dict[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.]*$")], str | int | float]


class ManagedSettings(CloudInitSettings):
    """A cloud behind an Infrastructure Manager."""

    type: Literal["im"] = Field(description="A cloud that an Infrastructure Manager (IM) reaches.")
    url: str = Field(
        pattern=r"^(https://[^/?#@\s]+|http://(localhost|127\.0\.0\.1)(:\d+)?)(/[^?#\s]*)?$",
        description="Address of its REST API: https://, or http:// on this machine, as it is told credentials.",
    )
    cloud_id: str = Field(
        default="", pattern=NAME_OR_NONE, description="id of the line of credentials_file that is the cloud's."
    )
    image: str = Field(
        min_length=1, pattern=r"^[^'\s]*$", description="What workers start from, as IM writes it: ost://HOST/ID."
    )
    flavours: tuple[ManagedFlavourSettings, ...] = Field(min_length=1, description="Kinds of worker.")
    system: Radl = Field(default={}, description="What else RADL is to say of the machine: by the feature's name.")
    network: Radl = Field(default={}, description="What RADL is to say of its network, as provider_id.")

    _names_differ = field_validator("flavours")(_names_differ)

    @field_validator("system")
    @classmethod
    def _says_nothing_of_ours(cls, system: Radl) -> Radl:
        said = {name.removesuffix("_min").removesuffix("_max") for name in system}
        if taken := sorted(said & TAKEN):
            raise ValueError(f"imc itself says {', '.join(taken)}")
        return system


CloudSettings = Annotated[
    Annotated[DockerSettings, Tag(of_kind("docker"))]
    | Annotated[AzureSettings, Tag(of_kind("azure"))]
    | Annotated[EC2Settings, Tag(of_kind("ec2"))]
    | Annotated[GoogleSettings, Tag(of_kind("google"))]
    | Annotated[OpenStackSettings, Tag(of_kind("openstack"))]
    | Annotated[ManagedSettings, Tag(of_kind("im"))]
    | Annotated[SlurmSettings, Tag(of_kind("slurm"))],
    Discriminator(
        said_kind,
        custom_error_type="cloud_type",
        custom_error_message="needs a type: azure, docker, ec2, google, im, openstack or slurm",
    ),
]
