"""Tables of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def row(*cells: str) -> str:
    """One line of a table; what it holds is Markdown already."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """All of its lines and an empty one before; nothing where there are no rows."""
    lines = [row(*cells) for cells in rows]
    if lines:
        heads = list(heads)
        yield from ("", row(*heads), row(*("---" for _ in heads)).replace(" ", ""), *lines)


def plain(text: str) -> str:
    """A sentence of the code's as Markdown: on one line, and nothing in it is taken for HTML."""
    return " ".join(text.split()).replace("<", "\\<")


def code(text: str) -> str:
    """Marked as a value."""
    return f"`{text}`"


def anchor(heading: str) -> str:
    """What leads to a heading on the same page, by the names that code hosts give them."""
    kept = "".join(letter for letter in heading.lower() if letter.isalnum() or letter in " -_")
    return f"#{kept.replace(' ', '-')}"
