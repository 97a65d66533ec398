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
CREDENTIALS_FILE = "registry.json"
"""Beside it, too: what the executor shows to registries, since neither plan nor description may hold it."""
STORAGE_FILE = "storage.json"
"""Beside it, too: what the executor shows to the job's storage."""


PATIENCE_S = 600


HIDDEN = "***"
"""What stands for a token wherever a job is kept or shown."""


class RegistryCredential(NamedTuple):
    """Who fetches an image, and how the registry knows them."""

    username: str
    token: str

    def __repr__(self) -> str:
        return f"RegistryCredential({self.username!r})"

    def hidden(self, text: str) -> str:
        """The text without the token: a registry may say anything."""
        return text.replace(self.token, HIDDEN)


class Credentials(NamedTuple):
    """What CREDENTIALS_FILE holds: for each task its credential, None where it has none."""

    of_tasks: Tuple[Optional[RegistryCredential], ...]


class StorageSecret(NamedTuple):
    """What STORAGE_FILE holds."""

    secret: str

    def __repr__(self) -> str:
        return "StorageSecret()"


class PlannedImage(NamedTuple):
    """A file that holds an image. source: a web address, or with is_object the name of an object.

    sha256: what its content must have; None: anything.
    """

    source: str
    is_object: bool = False
    sha256: Optional[str] = None


class PlannedTask(NamedTuple):
    """One container run.

    image: a registry name (docker's conventions); of an image that is a file, what people are told.
    file: where the image is, if it is a file.
    runtimes: acceptable runtimes, best first, of "apptainer", "docker", "podman", "udocker"; or "process".
    command: argument list run in the container, never by a shell; empty: the image's own entry point.
    workdir: absolute path in the container.
    private: whether its image is fetched with the credential that CREDENTIALS_FILE holds for it.
    mpi: whose launcher starts it, "openmpi", "mpich" or "intelmpi"; None: nobody's.
    processes: how many of them that is to be; None: one for each core.
    beside: whether it runs beside those that are not, from before the first until after the last of them.
    app: which of the apps in Apptainer's image it is; "" for none. stdout: the absolute path in the container of a file
    that what it prints goes into besides; "" for none.
    """

    image: str
    runtimes: Tuple[str, ...]
    command: Tuple[str, ...] = ()
    env: Dict[str, str] = {}
    workdir: str = "/home/user"
    file: Optional[PlannedImage] = None
    private: bool = False
    beside: bool = False
    mpi: Optional[str] = None
    processes: Optional[int] = None
    app: str = ""
    stdout: str = ""


def output_beside(stream: str, number: int) -> str:
    """The file that holds what a task beside the others has written, where the job's own output is."""
    return f"{stream}.{number}"


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


class PlannedPassed(NamedTuple):
    """What another job of the workflow passes to this one, for which the API gives out addresses while it runs.

    job: that one's name, for people. select: a pattern of paths; "" for all. instances: of how many it is; each has a
    directory by its number where it is numbered. directory: in the home; "" for the home itself. may_be_missing:
    whether it is well, too, when there is nothing.
    """

    job: str
    select: str = ""
    instances: int = 1
    numbered: bool = False
    directory: str = ""
    executable: bool = False
    may_be_missing: bool = False


class PlannedMount(NamedTuple):
    """A directory of the job's home that its tasks see at another path. target: absolute. may_be_missing: then it is
    made."""

    directory: str
    target: str
    may_be_missing: bool = False


class PlannedCheckpoint(NamedTuple):
    """What of the home is saved every so many seconds while tasks run, and restored before the first."""

    path: str
    interval_s: float


class PlannedStorage(NamedTuple):
    """Storage of the user's own that tasks see at a path.

    kind: "webdav", "s3" or "onedata". target: absolute, in the containers. directory: what of the storage is shown, ""
    for all of it. settings: what the user says of it but for its secret, by the names that `executor.adapters` know.
    """

    kind: str
    target: str
    directory: str = ""
    settings: Dict[str, str] = {}


class ExecutionPlan(NamedTuple):
    """The whole job.

    job: the job's unique identifier (a UUID; the ClusterId is known only after this is written). Of members of an
    array, which share a plan, the array's.
    cpus: cores; memory_mib: MiB, the limit put on each task's runtime. Where it takes what its slot has: the least.
    most_cpus: the most cores that it takes of its slot; None: it takes `cpus`. memory_mib_per_cpu: MiB for each core;
    None: the same for any number.
    gpus: how many of the worker's the job has been given; HTCondor says which.
    task_retries: how often a task that fails is run again. goes_on: with the tasks behind one that has failed.
    forgives: the job counts as a success although tasks of it have failed.
    walltime_s: seconds for all tasks together, without the time to fetch images; None: no limit.
    live_s: seconds between two looks at what a running task uses, to tell of it; None: nobody wants to know.
    pull_limit_s: seconds that the images of all tasks together may take to be fetched; None: no limit.
    grace_s: seconds between the warning signal and the kill.
    farewell_s: seconds in which outputs are still kept when the job was told to stop, after its task's grace.
    api: the API's base address, to ask it for those of objects with the token in TOKEN_FILE; "" where the job has none.
    patience_s: seconds that are waited in all for a server that does not answer, for each file or image.
    disk_mib: what may be unpacked of all artifacts together. output_files: patterns of paths in the home, of which the
    all matches are kept; output_dirs: paths.
    nodes: how many of them the job has, each an executor with this plan. everywhere: whether tasks that no MPI starts
    run on all of them, and not on the first alone. retries: how often the job is run again when it has failed.
    request: the id of the request that has made the plan, by which logs are searched.
    """

    job: str
    name: str
    tasks: Tuple[PlannedTask, ...]
    cpus: int
    memory_mib: int
    walltime_s: Optional[int]
    grace_s: int = 10
    farewell_s: int = 0
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
    passed: Tuple[PlannedPassed, ...] = ()
    mounts: Tuple[PlannedMount, ...] = ()
    output_files: Tuple[str, ...] = ()
    output_dirs: Tuple[str, ...] = ()
    pull_limit_s: Optional[int] = None
    patience_s: int = PATIENCE_S
    live_s: Optional[int] = None
    checkpoint: Optional[PlannedCheckpoint] = None
    storage: Optional[PlannedStorage] = None
    nodes: int = 1
    everywhere: bool = False
    retries: int = 0
    request: str = ""
    version: int = VERSION

    @property
    def has_files(self) -> bool:
        """Whether the job is given files, or keeps any."""
        given = (self.inputs, self.artifacts, self.passed, self.mounts)
        return any((*given, self.output_files, self.output_dirs, self.checkpoint))
