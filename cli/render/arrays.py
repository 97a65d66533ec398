"""Arrays: a table of them, and all that is told of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prominence.cli import view
from prominence.cli.render.table import table
from prominence.cli.render.text import clean, field, pairs, plain, utc

ARRAY_COLUMNS = ("ID", "NAME", "CREATED", "MEMBERS", "STATUSES")


def table_of_arrays(found: Iterable[Mapping[str, Any]]) -> str:
    """A row for each array."""
    rows = (
        (
            *(plain(array.get("id")), clean(view.text(array, "name")), utc(view.moment(array, "createTime"))),
            *(plain(array.get("count")), statuses(array)),
        )
        for array in found
    )
    return table(ARRAY_COLUMNS, rows)


def description_of_array(document: Mapping[str, Any]) -> str:
    """An array as people read it: one fact per line."""
    facts = (
        ("Array", plain(document.get("id"))),
        ("Name", clean(view.text(document, "name"))),
        ("Group", clean(view.text(document, "group"))),
        ("Created", utc(view.moment(document, "createTime"))),
        ("Labels", pairs(view.mapping(document, "labels"))),
        ("Members", plain(document.get("count"))),
        ("Statuses", statuses(document)),
    )
    return "\n".join(field(name, value) for name, value in facts if value)


def statuses(array: Mapping[str, Any]) -> str:
    """How many members of an array have which status: "completed 19, deleted 1"."""
    return ", ".join(f"{clean(word)} {plain(count)}" for word, count in view.mapping(array, "statuses").items())
