"""What users and groups have used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prominence.cli import view
from prominence.cli.render.report import figure
from prominence.cli.render.table import table
from prominence.cli.render.text import clean, plain

USAGE_COLUMNS = ("OF", "NAME", "JOBS", "CPU TIME", "WALL TIME")
_ROW_COLUMNS = ("JOBS", "ATTEMPTS", "CORE HOURS", "CPU HOURS", "EFFICIENCY", "UNITS", "COST", "")
_WIDEST_BAR = 20


def table_of_usage(found: Mapping[str, Mapping[str, Any]]) -> str:
    """A row for each user and each group; times in hours."""
    rows = (
        (
            *(word, clean(name), plain(view.mapping(of, name).get("numberOfJobs"))),
            *(_hours(view.mapping(of, name).get(key)) for key in ("cpuTime", "wallTime")),
        )
        for word, of in (("user", view.mapping(found, "users")), ("group", view.mapping(found, "groups")))
        for name in of
    )
    return table(USAGE_COLUMNS, rows)


def _hours(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, int | float) else plain(value)


def table_of_rows(found: Mapping[str, Sequence[Any]], width: int | None) -> str:
    """A row for each of what was told apart, with a bar for its share of the core hours."""
    keys = [plain(key).upper() for key in found["by"]]
    rows = [row for row in found["rows"] if isinstance(row, Mapping)]
    most = max((figure(row, "coreHours") for row in rows), default=0.0)
    return table((*keys, *_ROW_COLUMNS), (_row(row, len(keys), most) for row in rows), width)


def _row(row: Mapping[str, Any], keys: int, most: float) -> list[str]:
    names = row.get("of")
    known = [plain(name) or "-" for name in names] if isinstance(names, list) else []
    core, cpu = figure(row, "coreHours"), figure(row, "cpuHours")
    return [
        *(known + ["-"] * keys)[:keys],
        *(plain(row.get(key)) for key in ("jobs", "attempts")),
        *(_hours(row.get(key)) for key in ("coreHours", "cpuHours")),
        f"{cpu / core:.0%}" if core > 0 else "-",
        *(_hours(row.get(key)) for key in ("serviceUnits", "cost")),
        "█" * round(_WIDEST_BAR * core / most) if most > 0 else "",
    ]
