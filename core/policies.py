"""How a job is treated while it waits, when it fails and among its user's other jobs, as users write it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from prominence.core.validation import WHOLE, Strict

MOST_MINUTES_IN_QUEUE = 44_640
"""A month of 31 days."""

Retries = Annotated[int, Field(ge=0, le=6), WHOLE]


class Policies(Strict):
    """Without any, a failure of a task is the job's, and a job waits for as long as it takes."""

    maximumRetries: Retries = Field(
        default=0,
        description="How often the job runs again when it has failed, on whichever worker. What goes wrong with a "
        "worker does not count.",
    )
    maximumTaskRetries: Retries = Field(
        default=0,
        description="How often a task is run again at once, on the same worker, when it has ended with another exit "
        "code than 0.",
    )
    maximumTimeInQueue: Annotated[int, Field(ge=-1, le=MOST_MINUTES_IN_QUEUE), WHOLE] = Field(
        default=0,
        description="Minutes that the job may wait for a worker at a stretch; 0 or -1: any time.",
    )
    priority: Annotated[int, Field(ge=0, le=2**31 - 1), WHOLE] = Field(
        default=0, description="Among its user's own jobs; larger first."
    )
    ignoreTaskFailures: bool = Field(
        default=False,
        description="Whether the tasks behind one that fails run all the same. The job has failed nevertheless.",
    )
    reportJobSuccessOnTaskFailure: bool = Field(
        default=False,
        description="Whether the job counts as completed although a task has failed, so that only what goes wrong with "
        "the service makes it fail.",
    )
    leaveInQueue: bool = Field(
        default=False,
        description="Whether the job stays in the queue after its end, until it is removed; 90 days at most.",
    )
