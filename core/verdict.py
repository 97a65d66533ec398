"""Which status word a job has, and why: one table from what HTCondor, the executor and the scaler say. Pure.

| HTCondor's JobStatus | and | is shown as |
|---|---|---|
| idle | the scaler's reason | idle, deploying or waiting |
| running, transferring output, suspended | | running |
| completed, or removed after it had | the executor's report, where HTCondor agrees | completed, failed, killed |
| removed | it was held, and not by hand | failed or killed, as it was |
| removed | who removed it | deleted |
| held | by hand, or for its group's budget | waiting: it goes on when it is released |
| held | HTCondor's code | failed or killed: it will not run again |
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from prominence.core import classads, units
from prominence.core.reasons import Reason, explain
from prominence.core.report import ExecutionReport, Outcome
from prominence.core.scaling import Explanation
from prominence.core.states import HELD_BY_OPERATOR, HELD_FOR_BUDGET, TOO_MANY_ATTEMPTS, HoldCode, JobStatus, Status

JobAd = Mapping[str, str | int | float | bool]
"""A job's ClassAd: the attributes that it has and that we know, evaluated."""

DELETED_BY_USER = "deleted by the user"
DELETED_BY_OPERATOR = "deleted by an operator"
"""What RemoveReason begins with when the API removed the job."""

OF_A_WORKFLOW = "removed because <OtherJobRemoveRequirements"
"""The same when the workflow was removed that the job is part of, or another node of the job."""

_BY_NODE = re.compile(r"fired when job \([0-9]+\.([0-9]+)\) was removed")
"""How that goes on, with the number of that node."""

STARTED_TOO_OFTEN = "the job was started too often"
"""The same when a node's own policy removed it."""

CAME_TO_ITS_END = "the workflow has come to its end"
"""The same when the policy of a workflow has ended a DAGMan that had nothing to do any more."""

TOO_LONG_IN_QUEUE = "the job waited longer than it may"
"""The same when its own policy removed it."""

_LONGEST_SENTENCE = 1000
_TOO_LARGE = 2**63

_OF_WAITING = {
    Reason.WORKER_REQUESTED: Status.DEPLOYING,
    Reason.WORKER_BOOTING: Status.DEPLOYING,
    Reason.PATIENCE: Status.WAITING,
    Reason.POOL_LIMIT: Status.WAITING,
    Reason.CLOUD_LIMIT: Status.WAITING,
    Reason.GROUP_LIMIT: Status.WAITING,
    Reason.BACK_OFF: Status.WAITING,
    Reason.NO_CAPACITY: Status.WAITING,
    Reason.NO_FLAVOUR_FITS: Status.WAITING,
    Reason.NO_FLAVOUR_LASTS: Status.WAITING,
    Reason.NO_SUCH_PLACE: Status.WAITING,
}
"""An idle job by the scaler's reason; by any other it is idle."""

_OF_OUTCOME = {
    Outcome.TASK_FAILED: (Status.FAILED, Reason.TASK_FAILED),
    Outcome.SYSTEM_FAILED: (Status.FAILED, Reason.EXECUTOR_FAILED),
    Outcome.REMOVED: (Status.FAILED, Reason.INTERRUPTED),
    Outcome.OUT_OF_TIME: (Status.KILLED, Reason.WALLTIME_EXCEEDED),
    Outcome.OUT_OF_MEMORY: (Status.KILLED, Reason.MEMORY_EXCEEDED),
    Outcome.OUT_OF_DISK: (Status.KILLED, Reason.DISK_EXCEEDED),
}
"""A completed job by the report; the reason is used where the report has none of its own."""

_OF_REMOVAL = {
    DELETED_BY_USER: (Status.DELETED, Reason.DELETED_BY_USER),
    DELETED_BY_OPERATOR: (Status.DELETED, Reason.DELETED_BY_OPERATOR),
    OF_A_WORKFLOW: (Status.DELETED, Reason.WORKFLOW_DELETED),
    TOO_LONG_IN_QUEUE: (Status.KILLED, Reason.QUEUE_TIME_EXCEEDED),
    "": (Status.DELETED, Reason.INTERRUPTED),
}
"""A removed job by the beginning of HTCondor's reason."""

_HOLD_BEFORE = {
    classads.HOLD_REASON: classads.LAST_HOLD_REASON,
    classads.HOLD_REASON_CODE: classads.LAST_HOLD_REASON_CODE,
    classads.HOLD_REASON_SUBCODE: classads.LAST_HOLD_REASON_SUBCODE,
}
"""Where HTCondor keeps why it held a job that it holds no more."""

_OF_HOLD = {
    HoldCode.OUT_OF_RESOURCES: (Status.KILLED, Reason.MEMORY_EXCEEDED),
    HoldCode.JOB_DURATION: (Status.KILLED, Reason.WALLTIME_EXCEEDED),
    HoldCode.EXECUTE_DURATION: (Status.KILLED, Reason.WALLTIME_EXCEEDED),
}
"""A held job by HTCondor's code; by any other it has failed."""


@dataclass(frozen=True)
class Verdict:
    """details: what fills the gaps of the reason's sentence. exit_code: the command's, if it came to one."""

    status: Status
    reason: Reason | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    exit_code: int | None = None

    @property
    def sentence(self) -> str | None:
        """The reason with its gaps filled; None for a healthy job."""
        if self.reason is None:
            return None
        sentence = explain(self.reason, **self.details)
        return sentence if len(sentence) <= _LONGEST_SENTENCE else sentence[: _LONGEST_SENTENCE - 3] + "..."


def verdict(ad: JobAd, report: ExecutionReport | None, explanation: Explanation | None) -> Verdict:
    """Of this job. report: of its last attempt; explanation: of its demand, while it is idle."""
    match ad.get(classads.JOB_STATUS):
        case JobStatus.RUNNING | JobStatus.TRANSFERRING_OUTPUT:
            return Verdict(Status.RUNNING)
        case JobStatus.SUSPENDED:
            return Verdict(Status.RUNNING, Reason.SUSPENDED)
        case JobStatus.COMPLETED:
            return _completed(ad, report)
        case JobStatus.REMOVED:
            # One that stayed in the queue after its end is removed from there, too.
            return _completed(ad, report) if number(ad, classads.FINISHED_AT) else _removed(ad)
        case JobStatus.HELD:
            return _held(ad)
    return _idle(explanation)


def number(ad: JobAd, name: str) -> int | None:
    """A whole number of the ad; None for what is not there or is none, or has more than 64 bits."""
    value = ad.get(name)
    return int(value) if isinstance(value, int | float) and math.isfinite(value) and abs(value) < _TOO_LARGE else None


def has_others(ad: JobAd) -> bool:
    """Whether the job has several nodes."""
    return (number(ad, classads.NODE_COUNT) or 1) > 1


def _idle(explanation: Explanation | None) -> Verdict:
    if explanation is None:
        return Verdict(Status.IDLE, Reason.QUEUED)
    return Verdict(_OF_WAITING.get(explanation.reason, Status.IDLE), explanation.reason, explanation.details)


def _completed(ad: JobAd, report: ExecutionReport | None) -> Verdict:
    exit_code = number(ad, classads.EXIT_CODE)
    if report is None or report.outcome is Outcome.SUCCESS:
        if exit_code == 0 and not ad.get(classads.EXIT_BY_SIGNAL):
            return Verdict(Status.COMPLETED, exit_code=0)
        return _untold(ad, exit_code)
    if report.outcome not in _OF_OUTCOME:
        return _untold(ad, exit_code)
    status, reason = _OF_OUTCOME[report.outcome]
    of_command = exit_code if report.outcome is Outcome.TASK_FAILED and exit_code != 0 else None
    return Verdict(status, report.reason or reason, _told(report), of_command)


def _told(report: ExecutionReport) -> Mapping[str, object]:
    """Its details. Of a limit an older executor did not tell how much was needed."""
    limit = report.details.get("limit")
    return report.details if limit is None else {"used": f"more than {limit}", **report.details}


def _untold(ad: JobAd, exit_code: int | None) -> Verdict:
    """The executor ended without telling what happened, or told what HTCondor contradicts."""
    if ad.get(classads.EXIT_BY_SIGNAL):
        detail = f"it was ended by signal {ad.get(classads.EXIT_SIGNAL, 'unknown')}"
    else:
        detail = f"it ended with exit code {exit_code} and did not tell why"
    return Verdict(Status.FAILED, Reason.EXECUTOR_FAILED, {"detail": detail})


def _removed(ad: JobAd) -> Verdict:
    by_hand = ad.get(classads.LAST_HOLD_REASON_CODE) == HoldCode.BY_HAND
    if ad.get(classads.LAST_STATUS) == JobStatus.HELD and not by_hand:
        return _held({**ad, **{now: ad[then] for now, then in _HOLD_BEFORE.items() if then in ad}})
    said = str(ad.get(classads.REMOVE_REASON, ""))
    if said.startswith(STARTED_TOO_OFTEN):
        return _too_many_attempts(ad)
    if said.startswith(OF_A_WORKFLOW) and has_others(ad):
        which = _BY_NODE.search(said)
        node = f"its node {which[1]}" if which else "one of its nodes"
        return Verdict(Status.FAILED, Reason.EXECUTOR_FAILED, {"detail": f"{node} could not go on"})
    status, reason = next(found for beginning, found in _OF_REMOVAL.items() if said.startswith(beginning))
    return Verdict(status, reason)


def _held(ad: JobAd) -> Verdict:
    code, subcode = ad.get(classads.HOLD_REASON_CODE), ad.get(classads.HOLD_REASON_SUBCODE)
    if code == HoldCode.BY_HAND:
        if subcode == HELD_FOR_BUDGET:
            return Verdict(Status.WAITING, Reason.HELD_FOR_BUDGET, {"group": ad.get(classads.GROUP, "unknown")})
        by_operator = subcode == HELD_BY_OPERATOR
        return Verdict(Status.WAITING, Reason.HELD_BY_OPERATOR if by_operator else Reason.HELD_BY_USER)
    if (code, subcode) == (HoldCode.JOB_POLICY, TOO_MANY_ATTEMPTS):
        return _too_many_attempts(ad)
    said = str(ad.get(classads.HOLD_REASON, "")).rstrip(". \n")
    for known, (status, reason) in _OF_HOLD.items():
        # Of disk, too, a job can run out.
        if code == known and (reason is not Reason.MEMORY_EXCEEDED or "memory" in said.lower()):
            return Verdict(status, reason, {"used": _used(ad, reason), "limit": _limit(ad, reason)})
    return Verdict(Status.FAILED, Reason.HELD, {"detail": said or "it does not say why"})


def _too_many_attempts(ad: JobAd) -> Verdict:
    return Verdict(Status.FAILED, Reason.TOO_MANY_ATTEMPTS, {"attempts": ad.get(classads.STARTS, "too many")})


def _used(ad: JobAd, reason: Reason) -> str:
    """What the job was seen to need; HTCondor looks now and then, and may not have seen the most."""
    limit = _limit(ad, reason)
    mib = number(ad, classads.MEMORY_USAGE) if reason is Reason.MEMORY_EXCEEDED else None
    used = None if mib is None else f"{units.memory_gb(mib):g} GB"
    allowed = number(ad, classads.MEMORY_PROVISIONED) or number(ad, classads.REQUEST_MEMORY) or 0
    return used if used is not None and mib is not None and mib > allowed else f"more than {limit}"


def _limit(ad: JobAd, reason: Reason) -> str:
    """What the user asked for and the job used up."""
    if reason is Reason.WALLTIME_EXCEEDED:
        seconds = number(ad, classads.WALLTIME)
        return "unknown length" if seconds is None else units.plainly(seconds)
    mib = number(ad, classads.MEMORY_PROVISIONED) or number(ad, classads.REQUEST_MEMORY)
    return "unknown size" if mib is None else f"{units.memory_gb(mib):g} GB"
