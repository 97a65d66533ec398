"""The table, and the file that keeps it: its history in the repository is the history of the figures."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.harness import Row

FILE = Path(__file__).with_name("results.json")

Document = dict[str, Any]

_COLUMNS = ("name", "unit", "baseline", "ours", "ratio", "goal", "met", "runs", "least", "most")


def table(rows: Sequence[Row]) -> str:
    """The rows for people."""
    cells = [_COLUMNS, *([_said(getattr(row, column)) for column in _COLUMNS] for row in rows)]
    widths = [max(len(line[number]) for line in cells) for number in range(len(_COLUMNS))]
    lines = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in cells]
    return "\n".join(lines)


def merged(before: Document | None, rows: Sequence[Row], machine: str, whole: bool) -> Document:
    """The document with these rows in it. whole: everything was measured; otherwise other rows stay as they were."""
    new = {row.name: asdict(row) for row in rows}
    kept = {} if before is None or whole else {row["name"]: row for row in before["rows"]}
    return {"machine": machine, "rows": [row for _, row in sorted({**kept, **new}.items())]}


def keep(rows: Sequence[Row], whole: bool) -> None:
    """Write them into the file."""
    before = json.loads(FILE.read_text()) if FILE.exists() else None
    document = merged(before, rows, f"{platform.platform()}, {os.cpu_count()} cores", whole)
    FILE.write_text(json.dumps(document, indent=1) + "\n")


def _said(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:g}" if isinstance(value, float) else str(value)
