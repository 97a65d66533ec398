"""What a job asks of a worker, as users write it: memory and disk in GB, walltime in minutes."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from prominence.core.validation import WHOLE, Strict, Unit

# HTCondor keeps cores and MiB in 32 bits, and so do we seconds. Far above any machine: a job that fits none of the
# pool's is accepted and told so.
MOST_NODES = 100
_MOST_CPUS = 2**31 - 1
_MOST_GB = 2_000_000
_MOST_MINUTES = 35_000_000


def _has_two(value: Any) -> Any:
    """Said here, since it would else be called a missing field."""
    if isinstance(value, list | tuple) and len(value) != 2:
        raise ValueError("must be two numbers, the smaller one first")
    return value


Cpus = Annotated[int, Field(ge=1, le=_MOST_CPUS), WHOLE, Unit("cores")]
TwoCpus = Annotated[tuple[Cpus, Cpus], Field(strict=False), BeforeValidator(_has_two)]
Gigabytes = Annotated[float, Field(gt=0, le=_MOST_GB, allow_inf_nan=False), Unit("GB")]
Minutes = Annotated[int, Field(ge=1, le=_MOST_MINUTES), WHOLE, Unit("minutes")]


class Gpus(Strict):
    """GPUs of the worker that are the job's alone."""

    count: Annotated[int, Field(ge=1, le=1024), WHOLE] = Field(description="How many.")
    minimumMemory: Gigabytes | None = Field(default=None, description="Memory that each of them has at least.")
    capability: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        allow_inf_nan=False,
        description="CUDA's compute capability that each of them has at least, such as 8.6.",
    )


class Resources(Strict):
    """What each node of the job has. What is left out is as the site has it."""

    ADDED: ClassVar[frozenset[str]] = frozenset({"gpus"})

    nodes: Annotated[int, Field(ge=1, le=MOST_NODES), WHOLE] = Field(
        default=1, description="Number of nodes: as many machines, or parts of some, at the same time."
    )
    cpus: Cpus | None = Field(default=None, description="Cores. One of cpus, cpusRange and cpusOptions may be given.")
    cpusRange: TwoCpus | None = Field(
        default=None,
        description="In place of cpus: the fewest and the most cores. The job gets what the worker has free, from one "
        "to the other; workers with more are preferred.",
    )
    cpusOptions: TwoCpus | None = Field(
        default=None,
        description="In place of cpus: two numbers of cores. The job gets the larger where a worker has it free, else "
        "the smaller.",
    )
    totalCpusRange: TwoCpus | None = Field(
        default=None,
        description="In place of nodes: the fewest and the most cores of all nodes together, each of which has cpus. "
        "The job gets the fewest nodes that have so many.",
    )
    memory: Gigabytes | None = Field(default=None, description="Memory; a GB is 1000 MiB. It may be a fraction.")
    memoryPerCpu: Gigabytes | None = Field(
        default=None, description="In place of memory: so much for each core that the job gets."
    )
    disk: Gigabytes | None = Field(
        default=None, description="Scratch disk, for all that is in the job's home and /tmp."
    )
    gpus: Gpus | None = Field(default=None, description="GPUs; its tasks then run with Apptainer.")
    walltime: Minutes | None = Field(
        default=None, description="How long all tasks together may run; then the job is killed."
    )

    @property
    def number_of_nodes(self) -> int:
        """Said, or what comes of the cores."""
        if self.totalCpusRange is None:
            return self.nodes
        return _nodes_for(self.totalCpusRange[0], self.cpus or 1)

    @field_validator("cpusRange", "cpusOptions", "totalCpusRange")
    @classmethod
    def _in_order(cls, two: tuple[int, int] | None) -> tuple[int, int] | None:
        if two is not None and two[0] > two[1]:
            raise ValueError("must be two numbers, the smaller one first")
        return two

    @field_validator("totalCpusRange")
    @classmethod
    def _has_nodes(cls, two: tuple[int, int] | None, info: ValidationInfo) -> tuple[int, int] | None:
        if two is None or not {"nodes", "cpus"} <= info.data.keys():
            return two
        cpus = info.data["cpus"]
        if info.data["nodes"] > 1:
            raise ValueError("cannot be given together with nodes")
        if cpus is None:
            raise ValueError("needs cpus: the cores of each node")
        nodes = _nodes_for(two[0], cpus)
        if nodes * cpus > two[1]:
            raise ValueError(f"no number of nodes with {cpus} cores each has as many")
        if nodes > MOST_NODES:
            raise ValueError(f"more than {MOST_NODES} nodes would be needed")
        return two

    @field_validator("cpusRange", "cpusOptions", "memoryPerCpu")
    @classmethod
    def _alone(cls, value: Any, info: ValidationInfo) -> Any:
        others = ("memory",) if info.field_name == "memoryPerCpu" else ("cpus", "cpusRange")
        there = [other for other in others if other != info.field_name and info.data.get(other) is not None]
        if value is not None and there:
            raise ValueError(f"cannot be given together with {there[0]}")
        return value

    @field_validator("memoryPerCpu")
    @classmethod
    def _is_sensible(cls, value: float | None, info: ValidationInfo) -> float | None:
        numbers = (info.data.get("cpusRange"), info.data.get("cpusOptions"), (info.data.get("cpus") or 1,))
        most = next(found for found in numbers if found)[-1]
        if value is not None and value * most > _MOST_GB:
            raise ValueError(f"must be at most {_MOST_GB} GB for all {most} cores together")
        return value


def _nodes_for(cores: int, of_each: int) -> int:
    """The fewest that have so many."""
    return -(-cores // of_each)
