"""How the parts of a service are: a line for each, and what to do about those that are not well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prominence.cli import doctor, view
from prominence.cli.render.table import table
from prominence.cli.render.text import clean


def table_of_parts(found: Mapping[str, Any]) -> str:
    """As people read it."""
    parts = view.mappings(found, "parts")
    rows = ((_text(one, "part"), doctor.condition(one).value, _text(one, "sentence")) for one in parts)
    advice = [f"{_text(one, 'part')}: {_text(one, 'advice')}" for one in parts if view.text(one, "advice")]
    lines = table(["PART", "CONDITION", "WHAT IS KNOWN"], rows)
    return "\n".join([lines, "", "What to do:", *advice]) if advice else lines


def _text(part: Mapping[str, Any], key: str) -> str:
    return clean(view.text(part, key))
