"""Orders: what a running job is asked to do, and what it answers, as files in the job's directory on the access point.

The API writes orders and reads answers; the executor does the opposite, through HTCondor's connection to the job, so
that nothing has to reach the worker. Orders are numbered from 1; each has one answer, also where it came too late.
Standard library only and Python 3.9: the executor carries this module.
"""

from __future__ import annotations

import enum
from typing import Dict, NamedTuple, Optional, Tuple  # evaluated at run time on Python 3.9

LARGEST_OUTPUT = 1024 * 1024
"""Bytes that are kept of what a command prints."""
LARGEST_ORDER = 256 * 1024


class Verb(str, enum.Enum):
    """What is asked for."""

    RUN = "run"
    SNAPSHOT = "snapshot"
    WALLTIME = "walltime"


class Order(NamedTuple):
    """One of them.

    expires: Unix epoch, after which nobody waits for the answer: what was not begun then is not done. command: to be
    run in the container of the task that runs, never by a shell. limit_s: how long it may run. path: of what is to be
    copied, in the job's home or as tasks see it; url, headers: where the archive is to be PUT; most: bytes that it may
    have. walltime_s: of all tasks together, from now on.
    """

    verb: Verb
    expires: float
    command: Tuple[str, ...] = ()
    limit_s: float = 60.0
    path: str = ""
    url: str = ""
    headers: Dict[str, str] = {}
    most: Optional[int] = None
    walltime_s: Optional[int] = None


class Refusal(str, enum.Enum):
    """Why an order was not carried out."""

    TOO_LATE = "too late"
    NOT_RUNNING = "no task is running"
    NOT_UNDERSTOOD = "not understood"
    OUT_OF_TIME = "out of time"
    NO_SUCH_FILE = "no such file"
    TOO_LARGE = "too large"
    FAILED = "failed"


class Answer(NamedTuple):
    """What came of it.

    exit_code: the command's, 128 + signal where a signal ended it. output: both of its streams as they came, in base64.
    cut: there was more. refusal: why it was not carried out, or not to its end; detail: more of that, for people.
    """

    exit_code: Optional[int] = None
    output: str = ""
    cut: bool = False
    refusal: Optional[Refusal] = None
    detail: str = ""


def order_file(number: int) -> str:
    """Its name in the job's directory."""
    return f"order-{number}.json"


def answer_file(number: int) -> str:
    """Its name in the job's directory."""
    return f"answer-{number}.json"
