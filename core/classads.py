"""Every ClassAd attribute we write or read, by HTCondor's name or ours, and quoting into ClassAd text.

Quoting is done by HTCondor's own library. This is the one place where our words meet HTCondor's spelling.
"""

from __future__ import annotations

import classad2

from prominence.core.errors import Rejected

# HTCondor's, of jobs
CLUSTER_ID = "ClusterId"
JOB_STATUS = "JobStatus"
JOB_UNIVERSE = "JobUniverse"
JOB_COUNT = "JobCount"  # of a row of a grouped query
OWNER = "Owner"
REQUEST_CPUS = "RequestCpus"
REQUEST_MEMORY = "RequestMemory"  # MiB
REQUEST_DISK = "RequestDisk"  # KiB
ACCOUNTING_GROUP = "AcctGroup"
ACCOUNTING_USER = "AcctGroupUser"
SUBMITTED_AT = "QDate"
STARTED_AT = "JobCurrentStartDate"
EXECUTING_SINCE = "JobCurrentStartExecutingDate"
FINISHED_AT = "CompletionDate"
ENTERED_STATUS_AT = "EnteredCurrentStatus"
EXIT_CODE = "ExitCode"
EXIT_BY_SIGNAL = "ExitBySignal"
HOLD_REASON = "HoldReason"
HOLD_REASON_CODE = "HoldReasonCode"
HOLD_REASON_SUBCODE = "HoldReasonSubCode"
REMOVE_REASON = "RemoveReason"
STARTS = "NumJobStarts"
REMOTE_HOST = "RemoteHost"
LAST_REMOTE_HOST = "LastRemoteHost"
SANDBOX = "Iwd"

# HTCondor's, of machines
MACHINE = "Machine"
SLOT_TYPE = "SlotType"
STATE = "State"
ACTIVITY = "Activity"
TOTAL_CPUS = "TotalSlotCpus"
TOTAL_MEMORY = "TotalSlotMemory"  # MiB
TOTAL_DISK = "TotalSlotDisk"  # KiB
CPUS = "Cpus"
MEMORY = "Memory"  # MiB
DISK = "Disk"  # KiB
DRAINING = "Draining"
DYNAMIC_SLOTS = "NumDynamicSlots"
LAST_HEARD_FROM = "LastHeardFrom"
DAEMON_START_TIME = "DaemonStartTime"
STATS_LIFETIME = "StatsLifetime"  # seconds that a daemon has been alive ...
STATS_UPDATED_AT = "StatsLastUpdateTime"  # ... until this moment
AUTHENTICATED_IDENTITY = "AuthenticatedIdentity"

# Ours, of jobs
JOB_UID = "ProminenceJobUniqueIdentifier"
JOB_TYPE = "ProminenceType"
JOB_NAME = "ProminenceName"
IDENTITY = "ProminenceIdentity"
GROUP = "ProminenceGroup"
LABEL_PREFIX = "ProminenceUserMetadata_"

# Ours, of machines
WORKER = "ProminenceWorker"
CLOUD = "ProminenceCloud"
REGION = "ProminenceRegion"
FLAVOUR = "ProminenceFlavour"
RUNTIMES = "ProminenceRuntimes"

WORKER_DOMAIN = "workers"
"""Workers of the pool authenticate as NAME@workers; nobody else has an identity in that domain."""


def quote(text: str) -> str:
    """`text` as a ClassAd string literal, quotes included. Raises Rejected for what no ClassAd can hold."""
    try:
        literal: str = classad2.quote(text)
    except ValueError as error:  # of which UnicodeEncodeError is a kind
        raise Rejected.because(f"{text!r} holds a NUL or half of a surrogate pair") from error
    return literal
