"""What a list shows of a job's description: short enough to stand in the job's ad, so that no file is read. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prominence.core import images
from prominence.core.job import JobSpec
from prominence.core.substitution import substitute

LONGEST = 16 * 1024
"""Characters. Of a job with a longer summary a list reads the description itself."""

_OF_A_TASK = {"image", "runtime", "cmd"}


@dataclass(frozen=True)
class Summary:
    """labels and tasks as the API writes them; of a task what it runs."""

    labels: Mapping[str, str] = field(default_factory=dict)
    tasks: tuple[Mapping[str, Any], ...] = ({"image": ""},)


def summary(spec: JobSpec) -> Summary:
    """Of this job."""
    dumped = (task.model_dump(include=_OF_A_TASK, exclude_defaults=True) for task in spec.tasks)
    return Summary(spec.labels, tuple({**task, "image": images.shown(task["image"])} for task in dumped))


def with_values(found: Summary, values: Mapping[str, str]) -> Summary:
    """That of the instance of a workflow's job that has these values."""
    if not values:
        return found
    tasks = (
        {key: substitute(text, values) if isinstance(text, str) else text for key, text in task.items()}
        for task in found.tasks
    )
    return Summary(found.labels, tuple(tasks))


def write(found: Summary) -> str | None:
    """As text for the job's ad; None when it is too long for one."""
    text = json.dumps([found.labels, found.tasks], ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= LONGEST else None


def read(text: str) -> Summary | None:
    """What `write` made; None for anything else."""
    try:
        labels, tasks = json.loads(text)
        return Summary(dict(labels), tuple(dict(task) for task in tasks))
    except (ValueError, TypeError, RecursionError):
        return None
