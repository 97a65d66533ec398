"""What `pool status` says: what runs, and what is wrong, in plain words."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field

import docker

from prominence.cli.pool.bring_up import api_complaint, imc_complaint, read_settings
from prominence.cli.pool.containers import ACCESS_POINT, IMC, TASK, WORKER, containers, refuse_anothers
from prominence.cli.pool.fence import fence_complaint
from prominence.cli.pool.layout import MIN_FREE_DISK_MIB, WORKER_LABEL, Pool
from prominence.core import units


@dataclass
class PoolReport:
    """A look at the pool. running: it is up and well."""

    name: str
    running: bool = False
    lines: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    workers: list[str] = field(default_factory=list)

    def as_json(self) -> str:
        """For programs."""
        return json.dumps(vars(self), indent=1)


def look_at(engine: docker.DockerClient, pool: Pool) -> PoolReport:
    """Ask every part how it is. Raises PoolError only when the state cannot be read at all."""
    refuse_anothers(engine, pool)
    report = PoolReport(pool.name)
    settings = read_settings(pool)
    own = {container.labels["prominence.role"]: container for container in containers(engine, pool, ACCESS_POINT, IMC)}
    if settings is None or not own:
        report.lines.append(pool.not_running)
        return report
    for role in (ACCESS_POINT, IMC):
        state = own[role].status if role in own else "missing"
        report.lines.append(f"{role}: {state}")
        if state != "running":
            report.complaints.append(f"The {role} container is {state}. Repair: {pool.command('up')}")
    if complaint := api_complaint(settings.port):
        report.complaints.append(f"API: {complaint}. Look at: {pool.command('logs restapi')}")
    else:
        report.lines.append(f"API: well, on http://127.0.0.1:{settings.port}")
    if complaint := imc_complaint(engine, pool):
        report.complaints.append(f"{complaint}. Look at: {pool.command('logs imc')}")
    if complaint := fence_complaint(engine, pool, settings):
        report.complaints.append(f"Jobs reach more than they should: {complaint}. Repair: {pool.command('up')}")
    free_mib = units.mib_of_bytes(shutil.disk_usage(pool.state).free)
    if free_mib < MIN_FREE_DISK_MIB:
        report.complaints.append(
            f"Of the disk with {pool.state} only {free_mib} MiB are free: the API takes no new jobs before there are "
            f"{MIN_FREE_DISK_MIB} MiB. Remove something from that disk"
        )
    for worker in containers(engine, pool, WORKER):
        report.workers.append(str(worker.labels.get(WORKER_LABEL, worker.name)))
        report.lines.append(f"worker {report.workers[-1]}: {worker.status}")
    if not report.workers:
        report.lines.append("workers: none (the first job that waits makes one appear)")
    if tasks := containers(engine, pool, TASK):
        report.lines.append(f"task containers: {len(tasks)}")
    report.running = not report.complaints
    return report
