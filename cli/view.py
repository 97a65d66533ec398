"""A job as the API describes it, read without trusting its shape.

An older, newer or broken server must not make the command line fall over: what is absent or of another type than
it should be reads as unknown. The field names are those of the public API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Job = Mapping[str, Any]

JobId = int | str
"""A number; of a member of an array a text such as 17.3."""

WAITING = frozenset({"idle", "pending", "deploying", "waiting"})
ENDED = frozenset({"completed", "failed", "deleted", "killed"})


def status(job: Job) -> str:
    """The status word; "unknown" when there is none."""
    return text(job, "status") or "unknown"


def reason(job: Job) -> str:
    """Why it is so, as a sentence; "" when the API gave none."""
    return text(job, "statusReason")


def waiting(job: Job) -> bool:
    """It has not started, or not again."""
    return status(job) in WAITING


def ended(job: Job) -> bool:
    """Nothing will happen to it any more."""
    return status(job) in ENDED


def exit_code(job: Job) -> int | None:
    """The job's own exit code: as the API says, else that of its last task; None: there is none."""
    said = _code(job.get("exitCode"))
    tasks = reported_tasks(job)
    return said if said is not None or not tasks else _code(tasks[-1].get("exitCode"))


def tasks(job: Job) -> list[Mapping[str, Any]]:
    """The tasks that were asked for."""
    return _mappings(job.get("tasks"))


def reported_tasks(job: Job) -> list[Mapping[str, Any]]:
    """What became of the tasks that were started."""
    return _mappings(mapping(job, "execution").get("tasks"))


def moment(job: Job, event: str) -> float | None:
    """When `event` (createTime, startTime, endTime) was, as a Unix epoch."""
    return number(mapping(job, "events"), event)


def number(document: Mapping[str, Any], key: str) -> float | None:
    """The number under `key`; None when there is none."""
    value = document.get(key)
    return None if isinstance(value, bool) or not isinstance(value, int | float) else value


def mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under `key`; an empty one when there is none."""
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def mappings(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The objects in the list under `key`; none when there is no list."""
    return _mappings(document.get(key))


def text(document: Mapping[str, Any], key: str) -> str:
    """The string under `key`; "" when there is none. Not yet fit for a terminal."""
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _code(value: Any) -> int | None:
    """An exit code that a process can have."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255 else None
