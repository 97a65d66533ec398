"""Workers: how much of them is free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prominence.cli import view
from prominence.cli.render.table import table
from prominence.cli.render.text import clean, plain

_OF_A_WORKER = ("cpus", "memory")
_ALL_OF_A_WORKER = (*_OF_A_WORKER, "disk", "gpus")
_PARTS = ("free", "capacity")


def table_of_workers(found: Iterable[Mapping[str, Any]], wide: bool) -> str:
    """A row for each worker: of how much of each thing so much is free."""
    of = _ALL_OF_A_WORKER if wide else _OF_A_WORKER
    header = ["SITE", *(f"{which}{name.upper()}" for name in of for which in ("FREE ", ""))]
    rows = (
        [clean(view.text(one, "site")), *(plain(view.mapping(one, key).get(name)) for name in of for key in _PARTS)]
        for one in found
    )
    return table(header, rows)
