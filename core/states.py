"""The states of a job: HTCondor's own, and the words that the public API shows. Standard library only.

Code speaks HTCondor's states. The public words belong to the API, which existed before this implementation; they
are made in one place, `core.view`.
"""

from __future__ import annotations

import enum


class JobStatus(enum.IntEnum):
    """HTCondor's JobStatus. A finished job's last state is REMOVED or COMPLETED."""

    IDLE = 1
    RUNNING = 2
    REMOVED = 3
    COMPLETED = 4
    HELD = 5
    TRANSFERRING_OUTPUT = 6
    SUSPENDED = 7


class HoldCode(enum.IntEnum):
    """HTCondor's HoldReasonCode, as far as it tells us more than its text does."""

    BY_HAND = 1
    JOB_POLICY = 3
    NOT_STARTED = 6
    OUT_OF_RESOURCES = 34
    JOB_DURATION = 46
    EXECUTE_DURATION = 47


TOO_MANY_ATTEMPTS = 1001
"""HoldReasonSubCode of the policy that every job carries: it was started too often."""

HELD_BY_USER, HELD_BY_OPERATOR = 2001, 2002
"""HoldReasonSubCode of a job that the API holds for somebody."""

HELD_FOR_BUDGET = 2003
"""The same of a job for which its group's budget leaves no room."""


class Status(enum.StrEnum):
    """What the public API calls the state of a job."""

    IDLE = "idle"
    DEPLOYING = "deploying"
    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    DELETED = "deleted"
    KILLED = "killed"


ENDED = frozenset({Status.COMPLETED, Status.FAILED, Status.DELETED, Status.KILLED})
"""Nothing will happen to the job any more."""
