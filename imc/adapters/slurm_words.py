"""What Slurm is told, and what it tells: command lines, the batch script, and the list of jobs. Pure."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from prominence.core.errors import Rejected
from prominence.imc import userdata
from prominence.imc.declared_slurm import PartitionSettings, SlurmSettings
from prominence.imc.ports import File, Node, NodeState

_MARK = "prominence"
_FOR_DAEMONS_MIB = 256
"""Beyond what the worker's jobs may use: for HTCondor's own processes, which count towards the batch job."""
_SEPARATOR = "|"
_WIDTH = 76

_ENDED = frozenset(
    ("BOOT_FAIL", "COMPLETED", "COMPLETING", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT")
    + ("REVOKED",)
)
_TAKEN = frozenset(("PREEMPTED", "TIMEOUT"))
_GONE = "CANCELLED"
_NEVER = frozenset(
    ("AccountNotAllowed", "BadConstraints", "InvalidAccount", "InvalidQOS", "JobHeldAdmin", "JobHeldUser")
    + ("PartitionNodeLimit", "PartitionTimeLimit", "QOSNotAllowed", "ReservationDeleted", "launch failed requeued held")
)
"""Reasons for which a batch job would wait for ever."""


@dataclass(frozen=True)
class BatchJob:
    """One of ours. reason: Slurm's, why it waits or has ended."""

    id: int
    worker: str
    state: str
    reason: str = ""

    @property
    def has_ended(self) -> bool:
        """Or will never begin."""
        return self.state in _ENDED or (self.state == "PENDING" and self.reason in _NEVER)

    @property
    def may_be_cancelled(self) -> bool:
        """Whether there is anything to cancel."""
        return self.state not in _ENDED


def submit(declared: SlurmSettings, partition: PartitionSettings, pool: str, worker: str) -> list[str]:
    """The command line, which everybody on the cluster can see: no secret is on it. The script is its input."""
    given = {
        "account": partition.account,
        "qos": partition.qos,
        "constraint": partition.constraint,
        "reservation": partition.reservation,
        "gpus-per-node": str(partition.gpus or ""),
    }
    return [
        *("sbatch", "--parsable", "--no-requeue", "--export=NONE", "--input=/dev/null", "--nodes=1", "--ntasks=1"),
        f"--job-name={job_name(pool, worker)}",
        f"--partition={partition.partition}",
        f"--cpus-per-task={partition.cpus}",
        f"--mem={partition.memory_mib + _FOR_DAEMONS_MIB}M",
        f"--time={partition.walltime}",
        f"--output={declared.output}",
        "--chdir=/",
        *(f"--{name}={value}" for name, value in given.items() if value),
    ]


def listing() -> list[str]:
    """Jobs of our account, those that have ended lately among them."""
    form = _SEPARATOR.join(("%i", "%T", "%j", "%r"))
    return ["squeue", "--me", "--noheader", "--states=all", f"--format={form}"]


def cancel(jobs: Sequence[BatchJob]) -> list[str]:
    """End these."""
    return ["scancel", *(str(job.id) for job in jobs)]


def through_ssh(declared: SlurmSettings, command: Sequence[str]) -> list[str]:
    """The same where we log in. What SSH passes on is read by a shell there: each word is quoted for it."""
    key = [] if declared.key_file is None else ["-i", str(declared.key_file), "-o", "IdentitiesOnly=yes"]
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(declared.known_hosts_file),
        "ConnectTimeout": str(max(1, int(declared.timeout_s / 2))),
        "ForwardAgent": "no",
        "ForwardX11": "no",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return ["ssh", *words, *key, "-p", str(declared.port), "--", declared.login, shlex.join(command)]


def job_name(pool: str, worker: str) -> str:
    """Our mark."""
    return f"{_MARK}.{pool}.{worker}"


def script(declared: SlurmSettings, partition: PartitionSettings, worker: str, files: Sequence[File]) -> str:
    """The batch script. What is not the operator's own is in it as letters and digits alone."""
    needed = {file.path: file.text for file in files if file.path in _NEEDED}
    orders = {"worker": worker, "minutes": partition.walltime, "files": needed}
    packed = base64.b64encode(json.dumps(orders).encode()).decode("ascii")
    lines = [packed[at : at + _WIDTH] for at in range(0, len(packed), _WIDTH)]
    condor = ["--condor", declared.condor] if declared.condor else []
    command = shlex.join([declared.program, "worker", "pilot", "--directory", declared.directory, *condor])
    return "\n".join(("#!/bin/sh", *declared.setup, f"exec {command} <<'END'", *lines, "END", ""))


_NEEDED = (userdata.CONFIG, userdata.INVITATION, userdata.PROXIES)
"""A pilot has no broker."""


def read(text: str, pool: str) -> list[BatchJob]:
    """The jobs that bear our mark. Those that were cancelled are gone, though Slurm tells of them for a while."""
    found = []
    for line in text.splitlines():
        id_, state, name, reason = (line.split(_SEPARATOR, 3) + [""] * 3)[:4]
        mark = job_name(pool, "")
        if name.startswith(mark) and id_.isascii() and id_.isdigit() and state != _GONE:
            found.append(BatchJob(int(id_), name[len(mark) :], state, reason))
    return [job for job in found if "." not in job.worker and job.worker]


def submitted(text: str) -> int:
    """The number of the job, as `sbatch --parsable` tells it. Raises Rejected."""
    last = text.strip().splitlines()[-1] if text.strip() else ""
    number = last.partition(";")[0]
    if not (number.isascii() and number.isdigit()):
        raise Rejected.because("sbatch tells no number of a job")
    return int(number)


def complaint(said: str, exit_code: int) -> str:
    """What a command says of its failure: the end of it, since SSH has much to say of a host with another key."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return " ".join(lines[-2:]) or f"exit code {exit_code}"


def is_over(refusal: str) -> bool:
    """Whether Slurm does not cancel what has ended meanwhile."""
    return "already complet" in refusal.lower() or "invalid job id" in refusal.lower()


def node(worker: str, jobs: Sequence[BatchJob]) -> Node:
    """What a worker's batch jobs are to imc."""
    alive = [job for job in jobs if not job.has_ended]
    if alive:
        detail = f"{alive[0].state.lower()}, {alive[0].reason}" if alive[0].state == "PENDING" else ""
        return Node(worker, NodeState.RUNNING, detail, len(alive))
    last = max(jobs, key=lambda job: job.id)
    said = f"{last.state.lower()}, {last.reason}" if last.reason not in ("", "None") else last.state.lower()
    return Node(worker, NodeState.STOPPED, said, taken=last.state in _TAKEN)
