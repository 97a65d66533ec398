"""Findings: how the parts of a service are, each in a word, a sentence, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Condition(StrEnum):
    """How a part is, the best first."""

    OK = "ok"
    WARNING = "warning"  # it works, and will not for long, or not well
    UNKNOWN = "unknown"  # it could not be found out
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """part: what was looked at, such as "schedd" or "cloud docker". advice: what to do; "" where nothing is to be."""

    part: str
    condition: Condition
    sentence: str
    advice: str = ""

    def shown(self) -> dict[str, str]:
        """As JSON."""
        found = {"part": self.part, "condition": self.condition.value, "sentence": self.sentence}
        return {**found, **({"advice": self.advice} if self.advice else {})}


def worst(conditions: Iterable[Condition]) -> Condition:
    """Of all of these."""
    order = list(Condition)
    return max(conditions, key=order.index, default=Condition.OK)
