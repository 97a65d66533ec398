"""Every ClassAd attribute we write or read, by HTCondor's name or ours, and quoting into ClassAd text.

Quoting is done by HTCondor's own library. This is the one place where our words meet HTCondor's spelling.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from urllib.parse import unquote

import classad2

from prominence.core import lifetimes, report
from prominence.core.errors import Rejected

# HTCondor's, of jobs
CLUSTER_ID = "ClusterId"
PROC_ID = "ProcId"  # of a member of an array: its place in it
JOB_STATUS = "JobStatus"
JOB_UNIVERSE = "JobUniverse"
JOB_COUNT = "JobCount"  # of a row of a grouped query
REQUEST_CPUS = "RequestCpus"
REQUEST_MEMORY = "RequestMemory"  # MiB
REQUEST_DISK = "RequestDisk"  # KiB
REQUEST_GPUS = "RequestGPUs"
ACCOUNTING_GROUP = "AcctGroup"
ACCOUNTING_USER = "AcctGroupUser"
ACCOUNTING_NAME = "AccountingGroup"  # both in one: GROUP.USER
SUBMITTED_AT = "QDate"
STARTED_AT = "JobCurrentStartDate"
FINISHED_AT = "CompletionDate"
ENTERED_STATUS_AT = "EnteredCurrentStatus"
EXIT_CODE = "ExitCode"
EXIT_BY_SIGNAL = "ExitBySignal"
HOLD_REASON = "HoldReason"
HOLD_REASON_CODE = "HoldReasonCode"
HOLD_REASON_SUBCODE = "HoldReasonSubCode"
REMOVE_REASON = "RemoveReason"
PERIODIC_REMOVE_REASON = "PeriodicRemoveReason"  # what the reason is to be when the job's own policy removes it
REMOVES_OTHERS = "OtherJobRemoveRequirements"  # which jobs go when this one is removed
STARTS = "NumJobStarts"
COMPLETIONS = "NumJobCompletions"  # how often it has ended by itself, this time included
REMOTE_HOST = "RemoteHost"
LAST_REMOTE_HOST = "LastRemoteHost"
SANDBOX = "Iwd"
MAY_OPEN = "LimitDirectoryAccess"  # paths on the access point; heeded where the configuration has none
PRIORITY = "JobPrio"  # among the jobs of one user; larger first
LAST_STATUS = "LastJobStatus"
LAST_HOLD_REASON = "LastHoldReason"
LAST_HOLD_REASON_CODE = "LastHoldReasonCode"
LAST_HOLD_REASON_SUBCODE = "LastHoldReasonSubCode"
DAGMAN_ID = "DAGManJobId"  # of the workflow that the job is part of
DAG_DONE = "DAG_NodesDone"  # of a workflow: how many of its jobs are done ...
DAG_FAILED = "DAG_NodesFailed"
DAG_QUEUED = "DAG_NodesQueued"  # ... and how many are in the queue
DAG_FUTILE = "DAG_NodesFutile"  # those that wait for what has failed
DAG_TOTAL = "DAG_NodesTotal"  # with what runs at the end
EXIT_SIGNAL = "ExitSignal"
MEMORY_USAGE = "MemoryUsage"  # MiB, as HTCondor has seen it
REMOTE_WALL_CLOCK = "RemoteWallClockTime"  # seconds that all attempts have run together ...
SLOT_TIME = "CumulativeSlotTime"  # ... and the same times the cores that each was given
USER_CPU = "CumulativeRemoteUserCpu"  # seconds, of all attempts ...
SYSTEM_CPU = "CumulativeRemoteSysCpu"  # ... and what the kernel did for them
RUNS = "NumShadowStarts"  # attempts, by which HTCondor numbers them
RUN_USER_CPU = "RemoteUserCpu"  # of one attempt ...
RUN_SYSTEM_CPU = "RemoteSysCpu"
RUN_STARTED_AT = "ShadowBday"
RUN_ENDED_AT = "EpochWriteDate"  # in HTCondor's records of attempts alone
ENDING = "ToE"  # how an attempt has ended that was not interrupted
CPUS_PROVISIONED = "CpusProvisioned"
MEMORY_PROVISIONED = "MemoryProvisioned"  # MiB
DISK_PROVISIONED = "DiskProvisioned"  # KiB

# HTCondor's, of machines
MACHINE = "Machine"
SLOT_TYPE = "SlotType"
STATE = "State"
ACTIVITY = "Activity"
TOTAL_CPUS = "TotalSlotCpus"
TOTAL_MEMORY = "TotalSlotMemory"  # MiB
TOTAL_DISK = "TotalSlotDisk"  # KiB
TOTAL_GPUS = "TotalSlotGPUs"
CPUS = "Cpus"
MEMORY = "Memory"  # MiB
DISK = "Disk"  # KiB
GPUS = "GPUs"
DRAINING = "Draining"
REQUIREMENTS = "Requirements"
REQUIRE_GPUS = "RequireGPUs"  # of jobs: what holds of each GPU
GPUS_MEMORY, GPUS_CAPABILITY = "GPUsMinMemory", "GPUsMinCapability"  # of jobs: MiB and CUDA's, of each GPU
START = "Start"  # which jobs the machine takes
DYNAMIC_SLOTS = "NumDynamicSlots"
LAST_HEARD_FROM = "LastHeardFrom"
STATS_LIFETIME = "StatsLifetime"  # seconds that a daemon has been alive ...
STATS_UPDATED_AT = "StatsLastUpdateTime"  # ... until this moment
COLLECTOR_START_TIME = "COLLECTOR_StartTime"  # in the ad of the master that runs it
AUTHENTICATED_IDENTITY = "AuthenticatedIdentity"
RUNTIMES = "ProminenceRuntimes"  # ours: those that work there, with blanks between
BETWEEN_NODES = "ProminenceBetweenNodes"  # ours: whether containers there reach those of a job's other nodes
STORAGE = "ProminenceStorage"  # ours: the kinds that can be mounted there, with blanks between

# Ours, of jobs
JOB_UID = "ProminenceJobUniqueIdentifier"
JOB_TYPE = "ProminenceType"
REQUEST_ID = "ProminenceRequestId"  # of the request that has submitted it; of a worker: that asked for it
JOB_NAME = "ProminenceName"
ARRAY_INDEX = "ProminenceArrayIndex"  # of members of arrays alone: their place, counted from 0 ...
ARRAY_COUNT = "ProminenceArrayCount"  # ... and how many of them there are
PARAMETERS = "ProminenceParameters"  # of jobs of workflows alone: what their parameters are, see `translate.dag`
WORKFLOW_END = "ProminenceWorkflowEnd"  # of a job that runs at the end of one: DAGMan's status, and how many failed
NODES = "ProminenceNodes"  # of workflows: how many jobs they have
EXPECTED = "ProminenceExpected"  # of workflows: what all their jobs may use, in service units times milliseconds
NODE = "ProminenceNode"  # of jobs of several nodes alone: which, counted from 0 ...
NODE_COUNT = "ProminenceNodeCount"  # ... and how many they are
UNMET = report.UNMET
IDENTITY = "ProminenceIdentity"
GROUP = "ProminenceGroup"
PREEMPTIBLE = "ProminencePreemptible"  # false: not on a machine that its cloud can take away
REQUIRES = "ProminenceRequires"  # digest of what it requires of a machine besides room and place
WALLTIME = lifetimes.WALLTIME  # seconds that the tasks may run
LABEL_PREFIX = "ProminenceUserMetadata_"
SUMMARY = "ProminenceSummary"  # what a list shows of the job's description
SITES = "ProminenceSites"  # where the job must run ...
REGIONS = "ProminenceRegions"
PLACEMENT = (SITES, REGIONS, "ProminencePreferredSites", "ProminencePreferredRegions")  # ... and had rather run

LIVE = (report.LIVE_AT, report.LIVE_CPU_MS, report.LIVE_CPUS, report.LIVE_MEMORY, report.LIVE_DISK)  # while it runs

# Ours, of machines
WORKER = "ProminenceWorker"
CLOUD = "ProminenceCloud"
REGION = "ProminenceRegion"
FLAVOUR = "ProminenceFlavour"
TASK_NETWORK = "ProminenceTaskNetwork"  # none or outbound
MARKET = "ProminenceMarket"  # on-demand or spot, see `core.machines.Market`
ENDS_AT = lifetimes.ENDS_AT  # of those with a time: when it is over, in seconds since 1970
LEAVING = "ProminenceLeaving"  # whether its cloud has said that it takes the machine away

# Of machines, kept by HTCondor in the ad of the job that ran there last (job_machine_attrs)
LAST_CLOUD = f"MachineAttr{CLOUD}0"

WORKER_DOMAIN = "workers"
"""Workers of the pool authenticate as NAME@workers; nobody else has an identity in that domain."""

OWNER_PATTERN = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
OWNER_DOMAIN = "users"
"""Workers that a user has started, for that user's jobs alone, authenticate as OWNER@users; see `owner`."""


def quote(text: str) -> str:
    """`text` as a ClassAd string literal, quotes included. Raises Rejected for what no ClassAd can hold."""
    try:
        literal: str = classad2.quote(text)
    except ValueError as error:  # of which UnicodeEncodeError is a kind
        raise Rejected.because(f"{text!r} holds a NUL or half of a surrogate pair") from error
    return literal


def portable(text: str) -> str:
    """`text` in printable ASCII without `"`, `\\`, `$` and `%`, which every parser of HTCondor reads alike.

    The submit language leaves backslashes as they are, so that what `quote` makes of a line break or an accent would
    come out changed, and it expands `$(NAME)`. Other characters become %XX, as in a URL; different texts stay so.
    """
    return _NOT_PORTABLE.sub(_escaped, text)


def original(portable_text: str) -> str:
    """The text that `portable` made this of."""
    return unquote(portable_text)  # of a text that a worker made up what is no character is replaced


def text_literal(text: str) -> str:
    """`portable(text)` as a ClassAd string literal: how all text of users is written and looked for."""
    return quote(portable(text))


def any_of(terms: Iterable[str]) -> str:
    """An expression that holds when one of these does: in pairs of pairs, so that there may be any number of them.

    A row of `||` is evaluated one level deeper for each term. ClassAds of HTCondor 25 give up at some hundred of them,
    older ones run out of stack at some ten thousand.
    """
    left = list(terms) or ["false"]
    while len(left) > 2:
        left = [f"({' || '.join(left[at : at + 2])})" for at in range(0, len(left), 2)]
    return " || ".join(left)


def one_of(attribute: str, numbers: Collection[int]) -> str:
    """An expression that holds when the attribute is one of these numbers, any number of them.

    The schedd evaluates it for each job of its queue, and compares two numbers far sooner than it looks through a list.
    """
    if not numbers:
        return "false"
    least, most = min(numbers), max(numbers)
    if least == most:
        return f"{attribute} == {least:d}"
    members = ",".join(f"{number:d}" for number in numbers)
    return f"{attribute} >= {least:d} && {attribute} <= {most:d} && member({attribute}, {{{members}}})"


def may_hold(expression: str, job: Mapping[str, str]) -> bool:
    """Whether an expression of a machine's can be true of a job with these texts. False for one that cannot be read.

    What it asks of the machine is not known here, and so rules nothing out.
    """
    if len(expression) > _LONGEST:  # the library reads deeper and deeper, and a machine may say what it likes
        return False
    scope = classad2.ClassAd(dict(job))
    scope["TARGET"] = classad2.ClassAd(dict(job))
    try:
        value = classad2.ExprTree(expression).eval(scope)
    except _UNREADABLE:
        return False
    # What ClassAds have for "undefined" and "error" is a number to Python: hence no isinstance.
    return type(value) not in (bool, int, float) or bool(value)


def digest(texts: Iterable[str]) -> str:
    """By which jobs that require something else are told apart."""
    return hashlib.sha256("\n".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def owner(user: str) -> str:
    """The user as the owner of workers: lower-case letters, digits and hyphens, which can end the name of a machine.

    Different users have different ones, of whichever names: HTCondor does not tell upper from lower case everywhere.
    """
    readable = _NOT_OF_A_HOST.sub("-", user.lower())[:_LONGEST_READABLE].strip("-")
    digest = hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()[:_OWNER_DIGITS]
    return f"{readable}-{digest}" if readable else digest


def accounting_name(text: str) -> str:
    """`text` as the name of a user or group in HTCondor's accounting, where dots divide groups and @ ends a name."""
    return _NOT_OF_A_NAME.sub(_escaped, text)


def jobs_of_groups(groups: Iterable[str]) -> str:
    """A machine's expression that holds for jobs of these groups. Without a job in sight it is undefined, not false."""
    return any_of(f"TARGET.{ACCOUNTING_GROUP} == {quote(accounting_name(group))}" for group in groups)


def label(key: str) -> str:
    """The attribute of a label. Raises Rejected for what cannot be one."""
    if not _LABEL.fullmatch(key):
        raise Rejected.because("the name of a label must be letters (a to z) and digits only, at least one", key)
    return LABEL_PREFIX + key


_LONGEST = 4000
_LONGEST_READABLE = 24
_OWNER_DIGITS = 32
_NOT_OF_A_HOST = re.compile(r"[^a-z0-9]+")
_UNREADABLE = (getattr(classad2, "ClassAdException", SyntaxError), SyntaxError, ValueError, RuntimeError)
_NOT_PORTABLE = re.compile(r'[^ -~]|["\\$%]')
_NOT_OF_A_NAME = re.compile(r"[^A-Za-z0-9_-]")
_LABEL = re.compile(r"[A-Za-z0-9]+")


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode("utf-8", "surrogatepass"))
