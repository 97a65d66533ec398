"""ExecutionReport: what happened to one attempt of a job, told by the executor.

Written before the first task and again at the end whatever happens, and read by the API. Standard library only
and Python 3.9: the executor carries this module.
"""

from __future__ import annotations

import enum
from typing import Dict, NamedTuple, Optional, Tuple  # evaluated at run time on Python 3.9

from prominence.core.reasons import Reason

VERSION = 1
FILE_NAME = "report.json"

HANDED_BACK_BY = 1
"""The signal, SIGHUP, by which an executor ends itself when the worker has failed the job: the job is queued again.

No task can bring it about: what a task exits with, or what ends it, becomes an exit code of the executor.
"""


UNMET = "ChirpProminenceUnmet"
"""How often a node of the job has started and not met the others in time; in its ad, as those below."""

LIVE_AT = "ChirpProminenceAt"
LIVE_CPU_MS = "ChirpProminenceCpuMs"
LIVE_CPUS = "ChirpProminenceMilliCpus"
LIVE_MEMORY = "ChirpProminenceMemoryKiB"
LIVE_DISK = "ChirpProminenceDiskKiB"
"""Attributes by which the job's ad tells what the task uses that runs; HTCondor lets jobs set such names alone.

LIVE_AT: Unix epoch. LIVE_CPU_MS: milliseconds of processors so far; LIVE_CPUS: thousandths of processors, since before.
"""


def of_node(file: str, number: int) -> str:
    """What a file of the job is called of one of its nodes, beside that of the first."""
    return f"{file}.node-{number}" if number else file


class Outcome(str, enum.Enum):
    """How an attempt ended. The task's failures are the user's business, the system's are ours."""

    UNFINISHED = "unfinished"
    SUCCESS = "success"
    TASK_FAILED = "task failed"
    SYSTEM_FAILED = "system failed"
    REMOVED = "removed"
    OUT_OF_TIME = "out of time"
    OUT_OF_MEMORY = "out of memory"
    OUT_OF_DISK = "out of disk"


class TaskReport(NamedTuple):
    """One task that was started, or whose image could not be had.

    exit_code: as the command gave it, 128 + signal when a signal ended it; None: never started.
    retries: how often it was run again because it had failed; the exit code is that of the last run, the times are
    those of all. pull_s: seconds to fetch the image, None when it was there already. cpu_s: user and system seconds.
    max_rss_kib: peak resident size in KiB. Unknown figures are None, not 0.
    """

    image: str
    runtime: str = ""
    exit_code: Optional[int] = None
    signal: Optional[int] = None
    pull_s: Optional[float] = None
    image_digest: Optional[str] = None
    wall_s: Optional[float] = None
    cpu_s: Optional[float] = None
    max_rss_kib: Optional[int] = None
    retries: int = 0


class TransferReport(NamedTuple):
    """One file that was fetched or kept. status: a word, as the API shows it. size: bytes, where known.

    sha256: of what was kept, as the store has found it to be.
    """

    name: str
    status: str
    seconds: float
    size: Optional[int] = None
    sha256: Optional[str] = None


class CheckpointReport(NamedTuple):
    """saved: how many this attempt has saved. restored: whether it began with one. trouble: if the last failed, why."""

    saved: int = 0
    restored: bool = False
    trouble: str = ""


class NodeReport(NamedTuple):
    """What one node of a job that has several did, the first left out. number: which. The rest as in its own report."""

    number: int
    outcome: Outcome
    host: str = ""
    reason: Optional[Reason] = None
    details: Dict[str, str] = {}
    exit_code: Optional[int] = None
    tasks: Tuple[TaskReport, ...] = ()
    stage_in: Tuple[TransferReport, ...] = ()
    cpu_model: str = ""


class ExecutionReport(NamedTuple):
    """One attempt. Times are Unix epochs in seconds.

    reason and details: why it did not succeed; `core.reasons.explain(reason, **details)` is the sentence.
    sidecars: of the tasks that ran beside the others, which are not among `tasks`.
    exit_code: what the executor itself exits with, which becomes the job's; -HANDED_BACK_BY: it ends by that signal.
    nodes: the job's others, where it has several.
    request: the id of the request that has made its plan.
    cpu_vendor, cpu_model, cpu_clock (MHz): of the worker's first core, as its kernel has them.
    """

    outcome: Outcome
    started_at: float
    finished_at: Optional[float] = None
    reason: Optional[Reason] = None
    details: Dict[str, str] = {}
    exit_code: Optional[int] = None
    tasks: Tuple[TaskReport, ...] = ()
    sidecars: Tuple[TaskReport, ...] = ()
    stage_in: Tuple[TransferReport, ...] = ()
    stage_out: Tuple[TransferReport, ...] = ()
    host: str = ""
    cpu_model: str = ""
    cpu_vendor: str = ""
    cpu_clock: str = ""
    runtime_versions: Dict[str, str] = {}
    checkpoint: Optional[CheckpointReport] = None
    nodes: Tuple[NodeReport, ...] = ()
    request: str = ""
    version: int = VERSION
