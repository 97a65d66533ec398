"""What a worker offers to jobs, and until when: by its user, the batch job that it runs in, and the machine. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from prominence.cli.errors import ClientError
from prominence.core.lifetimes import MARGIN_S, VACATE_S

ISOLATING = ("apptainer", "docker", "podman")
"""Runtimes that every worker offers where they work."""
BARE = ("udocker", "process")
"""Runtimes that isolate nothing: a worker has them when its user says so."""

FOR_DAEMONS_MIB = 256
"""Of the memory of a batch job, which must not take more than it has: for HTCondor's own processes."""
LEAST_MIB = 128

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_NUMBER = re.compile(r"\d{1,12}", re.ASCII)
_IDLE_IN_A_BATCH_JOB_S = 600
_LOST_IN_A_BATCH_JOB_S = 1800


@dataclass(frozen=True)
class Offer:
    """ends_at: when the machine is taken away, in seconds since 1970; None: never.

    idle_s: without a job for so long the worker goes; lost_s: when the pool does not answer either. 0: it stays.
    runtimes: those to offer if they work; none: all that isolate.
    """

    cpus: int
    memory_mib: int
    ends_at: int | None = None
    idle_s: int = 0
    lost_s: int = 0
    runtimes: tuple[str, ...] = ()
    task_network: str = "none"


@dataclass(frozen=True)
class BatchJob:
    """What a batch system has given us. None: it does not tell."""

    id: str
    cpus: int | None = None
    memory_mib: int | None = None
    ends_at: int | None = None


def batch_job(environment: Mapping[str, str]) -> BatchJob | None:
    """The job of Slurm's that we run in; None: we are in none. What is no number counts as not told."""
    id_ = environment.get("SLURM_JOB_ID", "")
    if not _NUMBER.fullmatch(id_):
        return None
    cpus = _number(environment, "SLURM_CPUS_ON_NODE") or None
    memory = _number(environment, "SLURM_MEM_PER_NODE")
    per_cpu = _number(environment, "SLURM_MEM_PER_CPU")
    if not memory and per_cpu and cpus:
        memory = per_cpu * cpus
    return BatchJob(id_, cpus, memory or None, _number(environment, "SLURM_JOB_END_TIME") or None)


@dataclass(frozen=True)
class Wanted:
    """What the user has said; None: nothing. memory in GB, walltime in minutes, idle in seconds."""

    cpus: int | None = None
    memory: float | None = None
    walltime: float | None = None
    idle_s: int | None = None
    runtimes: tuple[str, ...] = ()
    task_network: str = "none"


@dataclass(frozen=True)
class Machine:
    """What there is: cores that we may use, and memory that nothing uses now."""

    cpus: int
    free_mib: int


def offer(wanted: Wanted, job: BatchJob | None, machine: Machine, now: float) -> Offer:
    """What the worker offers. Raises ClientError for less than a job could use."""
    job = job or BatchJob("")
    memory_mib = machine.free_mib if job.memory_mib is None else job.memory_mib - FOR_DAEMONS_MIB
    if wanted.memory is not None:
        memory_mib = math.floor(wanted.memory * 1000)
    if memory_mib < LEAST_MIB:
        raise ClientError(
            f"There are only {max(0, memory_mib)} MB of memory for jobs here. Say how much with --memory."
        )
    ends = [] if job.ends_at is None else [job.ends_at]
    if wanted.walltime is not None:
        ends.append(math.floor(now + wanted.walltime * 60))
    if ends and min(ends) - now < VACATE_S + MARGIN_S:
        raise ClientError("The time that is left here is too short for any job.")
    return Offer(
        cpus=wanted.cpus or job.cpus or machine.cpus,
        memory_mib=memory_mib,
        ends_at=min(ends, default=None),
        idle_s=wanted.idle_s if wanted.idle_s is not None else _IDLE_IN_A_BATCH_JOB_S if job.id else 0,
        lost_s=_LOST_IN_A_BATCH_JOB_S if job.id else 0,
        runtimes=wanted.runtimes,
        task_network=wanted.task_network,
    )


def label(host: str, job: BatchJob | None) -> str:
    """A worker's name where none is said: the machine's, with the batch job's number."""
    short = re.sub(r"[^a-z0-9]+", "-", host.partition(".")[0].lower())[:20].strip("-") or "worker"
    return f"{short}-{job.id[-10:]}" if job else short


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    return int(text) if _NUMBER.fullmatch(text) else None
