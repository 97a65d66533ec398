"""What belongs into the gaps in addresses, and how the numbers there are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prominence.core.errors import Rejected
from prominence.core.jobid import JobId
from prominence.core.validation import SPELLING
from prominence.restapi import areas, kv
from prominence.restapi.parameters.words import ids

_MEMBER: dict[str, Any] = {
    "type": "string",
    "pattern": r"^[1-9][0-9]{0,8}\.(0|[1-9][0-9]{0,5})$",
    SPELLING: "two numbers with a point between",
}
_TEXT: dict[str, Any] = {"type": "string"}

_NO_CONTROLS: dict[str, Any] = {
    **_TEXT,
    "pattern": r"^[^\x00-\x1f\x7f-\x9f]+$",
    SPELLING: "must not hold control characters",
}

GAPS: Mapping[str, dict[str, Any]] = {
    "job": {
        "anyOf": [ids.SCHEMA, _MEMBER],
        "description": "The number of a job, or of a member of an array, such as 17.3.",
    },
    "array": {**ids.SCHEMA, "description": "The number of an array."},
    "workflow": {**ids.SCHEMA, "description": "The number of a workflow."},
    "step": {
        **_TEXT,
        "pattern": r"^[A-Za-z0-9_. -][A-Za-z0-9_./ -]*$",
        SPELLING: "a name may hold letters (a to z), digits, spaces and _ . / - only",
        "description": "The name of a job of the workflow; behind it a / and the number of an instance.",
    },
    "key": {**kv.SCHEMA, "description": "A key; it may hold /."},
    "group": {**_NO_CONTROLS, "description": "A group, by its whole name; it may hold /."},
    "id": {**_TEXT, "minLength": 1, "description": "The id of a token, as it was told when the token was made."},
    "webhook": {**_TEXT, "minLength": 1, "description": "The id of a webhook."},
    "name": {**areas.SCHEMA, "description": "An object, or a group and a folder in it; it may hold /."},
}
"""What belongs into the gaps in addresses."""


def job_id(text: str) -> JobId:
    """The one job in an address, of its own or a member of an array. Raises Rejected."""
    try:
        return JobId.parse(text)
    except ValueError as error:
        raise Rejected.because(f"{ascii(text)} is not the number of a job") from error


def array_id(text: str) -> int:
    """The array in an address. Raises Rejected."""
    found = ids.number_of(text)
    if found is None:
        raise Rejected.because(f"{ascii(text)} is not the number of an array")
    return found


def workflow_id(text: str) -> int:
    """The workflow in an address. Raises Rejected."""
    found = ids.number_of(text)
    if found is None:
        raise Rejected.because(f"{ascii(text)} is not the number of a workflow")
    return found
