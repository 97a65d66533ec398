"""Whether this imc still leads, asked at each single thing that only the leader may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prominence.core.errors import Unavailable


class Replaced(Unavailable):
    """Another imc leads by now: what was decided here is its to decide."""

    def __init__(self) -> None:
        super().__init__("another imc leads by now")


@dataclass(frozen=True)
class Lead:
    """Of one round. may_act: asks whoever knows; called by several threads."""

    may_act: Callable[[], bool] = lambda: True

    def check(self) -> None:
        """Raises Replaced."""
        if not self.may_act():
            raise Replaced

    def do(self, act: Callable[[], None]) -> None:
        """Unless somebody else leads. Raises Replaced, and what the act does."""
        self.check()
        act()
