"""A Slurm cluster as an operator declares it: workers are batch jobs, which the service's account submits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from prominence.core.machines import Flavour, Market, Size
from prominence.core.settings import Settings
from prominence.imc.declared_terms import NAME, NAME_OR_NONE, AbsolutePath, TermsSettings

_WORD = r"^[A-Za-z0-9][A-Za-z0-9_.:,=&|*+-]{0,127}$"
_WORD_OR_NONE = r"^([A-Za-z0-9][A-Za-z0-9_.:,=&|*+-]{0,127})?$"
_PATH = r"^/[A-Za-z0-9_./+%=@-]*$"

Line = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$")]


class PartitionSettings(Settings):
    """A kind of worker: so much of a node, in a partition, for a time."""

    name: str = Field(pattern=NAME, description="Its name.")
    partition: str = Field(pattern=_WORD, description="Slurm's name of the partition, or of several with commas.")
    cpus: int = Field(ge=1, description="Cores.")
    memory_mib: int = Field(ge=128, description="Memory for jobs, in MiB; 256 more are asked for, for HTCondor itself.")
    disk_mib: int = Field(default=20 * 1024, ge=0, description="Disk for jobs, in MiB; Slurm is not asked for it.")
    gpus: int = Field(default=0, ge=0, description="GPUs.")
    walltime: int = Field(
        default=1440,
        ge=10,
        description="Minutes that the worker is there. It gets no job that would not end before, with some to spare.",
    )
    price: float = Field(default=0.0, ge=0, description="Per hour, in the site's currency.")
    region: str = Field(default="", pattern=NAME_OR_NONE, description="For jobs that ask for one.")
    preemptible: bool = Field(default=False, description="Whether Slurm may take it away for other jobs.")
    account: str = Field(default="", pattern=_WORD_OR_NONE, description="Account of Slurm's that pays.")
    qos: str = Field(default="", pattern=_WORD_OR_NONE, description="Quality of service of Slurm's.")
    constraint: str = Field(default="", pattern=_WORD_OR_NONE, description="Features of nodes.")
    reservation: str = Field(default="", pattern=_WORD_OR_NONE, description="Reservation of Slurm's.")

    def offered(self, cloud: str) -> Flavour:
        """As a document of the cloud of this name."""
        size = Size(cpus=self.cpus, memory_mib=self.memory_mib, disk_mib=self.disk_mib, gpus=self.gpus)
        market = Market.SPOT if self.preemptible else Market.ON_DEMAND
        return Flavour(
            cloud=cloud,
            region=self.region,
            name=self.name,
            size=size,
            price=self.price,
            market=market,
            lifetime_s=self.walltime * 60,
        )


class SlurmSettings(TermsSettings):
    """A cluster whose batch jobs are workers."""

    type: Literal["slurm"] = Field(description="Batch jobs of a Slurm cluster.")
    join_s: int | None = Field(
        default=1800,
        gt=0,
        description="How long a batch job may wait for its node and join the pool. Let joining.secret_lifetime_s be "
        "as long.",
    )
    probation: int | None = Field(
        default=3,
        gt=0,
        description="Workers that are tried at once of a flavour, and on the cluster, of which none has joined lately.",
    )
    login: str = Field(
        default="",
        pattern=r"^([a-z_][a-z0-9_.-]{0,31}@[A-Za-z0-9]([A-Za-z0-9.:-]{0,252})?)?$",
        description="USER@HOST to submit from, over SSH; empty: here, by imc's account.",
    )
    port: int = Field(default=22, ge=1, le=65535, description="Port of SSH there.")
    key_file: AbsolutePath | None = Field(default=None, description="Private key for SSH, which imc alone can read.")
    known_hosts_file: AbsolutePath | None = Field(
        default=None, description="File with the host's key, as ssh-keyscan prints it; no other host is spoken to."
    )
    program: str = Field(
        default="/opt/prominence/bin/prominence", pattern=_PATH, description="Our command, on the nodes."
    )
    condor: str = Field(
        default="", pattern=rf"^({_PATH[1:-1]})?$", description="Directory of HTCondor's tarball; empty: by PATH."
    )
    directory: str = Field(
        default="/tmp", pattern=_PATH, description="Where workers make a directory of their own, on the nodes."
    )
    output: str = Field(
        default="/dev/null", pattern=_PATH, description="File for what a worker says; %j is the number of its job."
    )
    setup: tuple[Line, ...] = Field(
        default=(), description="Lines of shell that come first in the batch script: module load apptainer."
    )
    poll_s: float = Field(default=10, ge=0, description="How old what is known of batch jobs may get.")
    timeout_s: float = Field(default=60, gt=0, description="For each of Slurm's commands.")
    flavours: tuple[PartitionSettings, ...] = Field(min_length=1, description="Kinds of worker.")

    @field_validator("flavours")
    @classmethod
    def _names_differ(cls, flavours: tuple[PartitionSettings, ...]) -> tuple[PartitionSettings, ...]:
        names = [flavour.name for flavour in flavours]
        if len(set(names)) < len(names):
            raise ValueError("two flavours have the same name")
        return flavours

    @model_validator(mode="after")
    def _knows_whom_it_logs_in_to(self) -> SlurmSettings:
        if self.login and self.known_hosts_file is None:
            raise ValueError("needs known_hosts_file where it logs in")
        return self

    def partition(self, flavour: str) -> PartitionSettings | None:
        """What is declared of the flavour of this name."""
        return next((one for one in self.flavours if one.name == flavour), None)
