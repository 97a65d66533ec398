"""What rows of the accounts' file say of attempts and of workers."""

from __future__ import annotations

import json

from prominence.core.jobid import JobId
from prominence.core.machines import Size
from prominence.restapi.booking import Machine, Run, Used

OF_RUN = (
    "job, number, user, grp, workflow, part, worker, started, ended, memory_mib, gpus, outcome, blame, facts, queued, "
    "status"
)
"""The columns of `run_of_row`."""


def run_of_row(
    job: int,
    number: int,
    user: str,
    group: str,
    workflow: int | None,
    part: int,
    worker: str,
    started: int,
    ended: int,
    memory_mib: int,
    gpus: int,
    outcome: str,
    blame: str,
    facts: str,
    queued: int,
    status: int,
) -> Run:
    """An attempt, without its labels."""
    measured, before, after = json.loads(facts)
    return Run(
        job=JobId(abs(job)),
        number=number,
        user=user,
        group=group,
        workflow=workflow,
        is_part=bool(part),
        worker=worker,
        started=started,
        ended=ended,
        memory_mib=memory_mib,
        gpus=gpus,
        outcome=outcome,
        blame=blame,
        measured=Used(*measured),
        before=before and Used(*before),
        after=after and Used(*after),
        queued=queued,
        status=status,
    )


def machine_of_row(worker: str, cloud: str, region: str, flavour: str, price: float, *size: int) -> Machine:
    """A worker."""
    cpus, memory_mib, disk_mib, gpus = size
    return Machine(
        worker, cloud, region, flavour, price, Size(cpus=cpus, memory_mib=memory_mib, disk_mib=disk_mib, gpus=gpus)
    )
