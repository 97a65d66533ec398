"""Moments and days."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_EVER = 10**11 - 1


def _moment(text: str) -> int:
    """An epoch, a date or a date and a time."""
    if re.fullmatch(r"[0-9]{1,11}", text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text) if re.match(r"[0-9]{4}-", text) else None
        if moment is not None:
            found = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
            return min(max(int(found), 0), _EVER)  # no job is older than that
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be a moment: 2026-05-01, 2026-05-01T12:00:00Z or seconds since 1970")


Moment = Annotated[
    int,
    BeforeValidator(_moment),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": _EVER},
                {"type": "string", "format": "date-time"},
                {"type": "string", "format": "date"},
            ]
        }
    ),
]


def _day(text: str) -> date:
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("must be a day, such as 2026-05-01")


Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
