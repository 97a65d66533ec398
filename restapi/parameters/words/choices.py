"""Words that are chosen of those there are: which jobs, what of each, in which order."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from prominence.core.states import Status
from prominence.restapi import presentation
from prominence.restapi.paging import Key


def _statuses(text: str) -> tuple[Status, ...]:
    try:
        return tuple(dict.fromkeys(Status(word) for word in text.split(",")))
    except ValueError as error:
        raise ValueError(f"must be one of {', '.join(Status)}, or several with commas between them") from error


Statuses = Annotated[
    tuple[Status, ...],
    BeforeValidator(_statuses),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"type": "string", "enum": list(Status)}}),
]


def _fields(text: str) -> frozenset[str]:
    names = frozenset(text.split(","))
    unknown = sorted(names - presentation.FIELDS)
    if unknown:
        known = ", ".join(sorted(presentation.FIELDS))
        raise ValueError(f"a job has no {', '.join(map(ascii, unknown))}; it has {known}")
    return names | presentation.IDS


Fields = Annotated[
    frozenset[str],
    BeforeValidator(_fields),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"type": "string", "enum": sorted(presentation.FIELDS)}}),
]


def _sort(text: str) -> str:
    if text.removeprefix("-") not in Key.__members__.values():
        raise ValueError(f"must be one of {', '.join(Key)}, or with a - before it for the greatest first")
    return text


Sort = Annotated[
    str,
    BeforeValidator(_sort),
    WithJsonSchema({"type": "string", "enum": [f"{sign}{key}" for key in Key for sign in ("", "-")]}),
]
