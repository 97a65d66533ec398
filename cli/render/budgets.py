"""Budgets of groups and what was adjusted, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prominence.cli.render.table import table
from prominence.cli.render.text import clean, plain, utc

_COLUMNS = ("GROUP", "FROM", "TO", "UNITS", "USED", "RESERVED", "LEFT", "ACTION")
_OF_LEDGER = ("TIME", "UNITS", "BY", "WHY")


def table_of_budgets(found: Iterable[Mapping[str, Any]], width: int | None) -> str:
    """A row for each; figures in service units."""
    return table(_COLUMNS, map(_row, found), width)


def table_of_entries(found: Iterable[Mapping[str, Any]], width: int | None) -> str:
    """A row for each adjustment."""
    rows = (
        (utc(one.get("time")), _units(one.get("units"), "+"), *(clean(str(one.get(key, "-"))) for key in ("by", "why")))
        for one in found
    )
    return table(_OF_LEDGER, rows, width)


def _row(one: Mapping[str, Any]) -> list[str]:
    return [
        *(clean(str(one.get(key, "-"))) for key in ("group", "start", "end")),
        *(_units(one.get(key)) for key in ("units", "used", "reserved", "left")),
        "over" if one.get("isOver") is True else clean(str(one.get("action", "-"))),
    ]


def _units(value: Any, sign: str = "") -> str:
    return f"{value:{sign}.2f}" if isinstance(value, int | float) else plain(value) or "-"
