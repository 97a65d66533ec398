"""What this site gives to every job, besides what the user asks for. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from prominence.core import units
from prominence.core.job import JobSpec


@dataclass(frozen=True)
class Site:
    """executor: path of the program that travels with each job. default_...: for jobs that name none.

    max_...: what a job may ask for at most, None for no limit. Walltimes are in minutes, memory and disk in GB.
    max_attempts: how often a job may be started before it is held. job_lease_s: how long HTCondor waits for a worker
    that has fallen silent. grace_s: between the warning and the end of a task;
    farewell_s: for the outputs of a job that is told to stop. pull_limit_s: what fetching its images
    may add to a job's walltime; overhead_s: what all else may. vacate_margin_s: what the executor needs on top of the
    grace and those to clean up.
    patience_s: for how long a job waits for a server that does not answer.
    api: its address, as workers know it. max_array: members of one array.
    live_s: seconds between two looks at what a running task uses; None: nobody looks.
    max_workflow: jobs of one workflow; max_idle: of these, how many wait in the queue at once;
    max_workflows: of one user at once.
    dagman: HTCondor's program that runs workflows.
    default_group: which of a user's groups is charged when a job names none: first, none or ask.
    """

    executor: str
    default_walltime: int = 720
    max_attempts: int = 5
    job_lease_s: int = 60
    grace_s: int = 10
    pull_limit_s: int = 3600
    patience_s: int = 600
    overhead_s: int = 3600
    vacate_margin_s: int = 20
    farewell_s: int = 60
    live_s: int | None = 30
    default_group: str = "first"
    api: str = ""
    default_cpus: int = 1
    default_memory: float = 1
    default_disk: float = 10
    max_cpus: int | None = None
    max_memory: float | None = None
    max_disk: float | None = None
    max_walltime: int | None = None
    max_array: int = 10_000
    max_workflow: int = 20_000
    max_idle: int = 1000
    max_workflows: int = 100
    dagman: str = "/usr/bin/condor_dagman"

    @property
    def vacate_s(self) -> int:
        """How long HTCondor waits for a job that it has told to stop."""
        return self.grace_s + self.farewell_s + self.vacate_margin_s

    def walltime_s(self, spec: JobSpec) -> int:
        """How long the job's tasks may run."""
        return units.seconds(spec.resources.walltime or self.default_walltime)
