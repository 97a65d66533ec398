"""The numbers of jobs, arrays and workflows."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema

from prominence.core.jobid import LAST_CLUSTER, JobId
from prominence.restapi import legacy

SCHEMA: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": LAST_CLUSTER}
"""Of a number of a job, an array or a workflow."""


def number_of(word: str) -> JobId | None:
    """The job, array or workflow of this number; None for what is no number of any."""
    return JobId(word) if re.fullmatch(r"[0-9]{1,10}", word) and 0 < int(word) <= LAST_CLUSTER else None


def _job_ids(text: str) -> tuple[JobId, ...]:
    ids = [number_of(word.strip()) for word in text.split(",")]
    if None in ids:
        raise ValueError("must be numbers of jobs with commas between them, such as 1,2")
    return tuple(dict.fromkeys(one for one in ids if one is not None))


JobIds = Annotated[
    tuple[int, ...], BeforeValidator(_job_ids), WithJsonSchema({"type": "array", "minItems": 1, "items": SCHEMA})
]


def _workflow(text: str) -> int | Literal["true"]:
    if text == legacy.OF_A_WORKFLOW:
        return text  # type: ignore[return-value]
    found = number_of(text)
    if found is None:
        raise ValueError("must be the number of a workflow")
    return found


Workflow = Annotated[
    int | Literal["true"],
    BeforeValidator(_workflow),
    WithJsonSchema({"anyOf": [SCHEMA, {"type": "string", "enum": [legacy.OF_A_WORKFLOW]}]}),
]
