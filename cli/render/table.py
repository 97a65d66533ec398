"""Columns beneath their names, as wide as a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size

WIDEST_COLUMN = 40


def table(header: Sequence[str], rows: Iterable[Sequence[str]], width: int | None = None) -> str:
    """Columns beneath their names. With the `width` of a terminal nothing is wider than that; else all is shown."""
    lines = [tuple(header), *(tuple(row) for row in rows)]
    if width is not None:
        lines = [(*(cut(cell, WIDEST_COLUMN) for cell in line[:-1]), line[-1]) for line in lines]
    widths = [max(cell_len(cell) for cell in column) for column in zip(*lines, strict=True)]
    joined = ("   ".join(set_cell_size(*cell) for cell in zip(line, widths, strict=True)).rstrip() for line in lines)
    return "\n".join(line if width is None else cut(line, width) for line in joined)


def cut(text: str, width: int) -> str:
    """The text, with … in place of what is wider."""
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"
