"""Values, moments and facts as text that is safe to show."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def clean(text: str) -> str:
    """The text with everything a terminal might obey written out, as in a\\x1b[2J."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def plain(value: Any) -> str:
    """Any JSON value on one line, safe to show; "" for null."""
    if value is None:
        return ""
    return clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def pairs(found: Mapping[str, Any]) -> str:
    """As in "a=1 b=2", so that a shell would read each as one word."""
    return " ".join(shlex.quote(f"{clean(key)}={plain(value)}") for key, value in found.items())


def utc(moment: float | None) -> str:
    """An epoch as YYYY-MM-DD HH:MM:SS in UTC; "" when unknown."""
    try:
        return "" if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):  # not a moment that a calendar has
        return ""


def field(name: str, value: str) -> str:
    """A fact, on a line of its own."""
    return f"{name:<15} {value}"
