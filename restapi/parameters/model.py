"""What all sets of parameters have in common: how they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from prominence.core.validation import parse

REPEATED = frozenset({"constraint"})
"""Lists of which each item is given by itself; all others have commas between their items."""


class Parameters(BaseModel):
    """One that is given twice counts as it was given last, but for those that are lists. Unknown ones are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True)

    @classmethod
    def read(cls, parameters: Mapping[str, list[str]]) -> Self:
        """What is said. Raises Rejected with every mistake."""
        found: dict[str, Any] = {}
        for name, field in cls.model_fields.items():
            values = parameters.get(field.alias or name)
            if values:
                found[field.alias or name] = values if name in REPEATED else values[-1]
        return parse(cls, found)
