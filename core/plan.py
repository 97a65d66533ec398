"""ExecutionPlan: what a worker is to do for one job, with every default and limit resolved.

Made by the API's translation, read by the executor. Standard library only and Python 3.9: the executor carries
this module. New fields get a default, so that a plan from an older API still runs.
"""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional, Tuple  # evaluated at run time on Python 3.9

VERSION = 1
FILE_NAME = "plan.json"
TOKEN_FILE = "job.token"
"""Beside the plan in the job's sandbox, where no task sees it: what the executor shows to the API."""


class PlannedTask(NamedTuple):
    """One container run.

    image: a registry name (docker's conventions).
    runtimes: acceptable runtimes, best first, of "apptainer", "docker", "podman".
    command: argument list run in the container, never by a shell; empty: the image's own entry point.
    workdir: absolute path in the container.
    """

    image: str
    runtimes: Tuple[str, ...]
    command: Tuple[str, ...] = ()
    env: Dict[str, str] = {}
    workdir: str = "/home/user"


class PlannedInput(NamedTuple):
    """A small file to put into the job's home. content: in base64."""

    name: str
    content: str
    executable: bool = False


class PlannedArtifact(NamedTuple):
    """A file to fetch into the job's home, and to unpack if it is an archive.

    source: a web address, or with is_object the name of an object, for which the API gives out an address at the
    moment of use. file: its name in the home.
    """

    source: str
    file: str
    is_object: bool = False
    executable: bool = False


class PlannedMount(NamedTuple):
    """A directory of the job's home that its tasks see at another path. target: absolute."""

    directory: str
    target: str


class ExecutionPlan(NamedTuple):
    """The whole job.

    job: the job's unique identifier (a UUID; the ClusterId is known only after this is written).
    cpus: cores; memory_mib: MiB, the limit put on each task's runtime. Where it takes what its slot has: the least.
    most_cpus: the most cores that it takes of its slot; None: it takes `cpus`. memory_mib_per_cpu: MiB for each core;
    None: the same for any number.
    gpus: how many of the worker's the job has been given; HTCondor says which.
    task_retries: how often a task that fails is run again. goes_on: with the tasks behind one that has failed.
    forgives: the job counts as a success although tasks of it have failed.
    walltime_s: seconds for all tasks together, without the time to fetch images; None: no limit.
    pull_limit_s: seconds that the images of all tasks together may take to be fetched; None: no limit.
    grace_s: seconds between the warning signal and the kill.
    api: the API's base address, to ask it for those of objects with the token in TOKEN_FILE; "" where the job has none.
    disk_mib: what may be unpacked of all artifacts together. output_files: patterns of paths in the home, of which the
    first match is kept; output_dirs: paths.
    """

    job: str
    name: str
    tasks: Tuple[PlannedTask, ...]
    cpus: int
    memory_mib: int
    walltime_s: Optional[int]
    grace_s: int = 10
    most_cpus: Optional[int] = None
    memory_mib_per_cpu: Optional[int] = None
    task_retries: int = 0
    goes_on: bool = False
    forgives: bool = False
    gpus: int = 0
    api: str = ""
    disk_mib: Optional[int] = None
    inputs: Tuple[PlannedInput, ...] = ()
    artifacts: Tuple[PlannedArtifact, ...] = ()
    mounts: Tuple[PlannedMount, ...] = ()
    output_files: Tuple[str, ...] = ()
    output_dirs: Tuple[str, ...] = ()
    pull_limit_s: Optional[int] = None
    version: int = VERSION

    @property
    def has_files(self) -> bool:
        """Whether the job is given files, or keeps any."""
        return any((self.inputs, self.artifacts, self.mounts, self.output_files, self.output_dirs))
