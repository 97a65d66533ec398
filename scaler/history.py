"""Plans as JSON lines in files of limited size: why the pool was as it was, long after."""

from __future__ import annotations

import json
from pathlib import Path

from prominence.core.scaling import ScalingPlan

SIZE = 10_000_000
KEPT = 5
"""A file is put aside when it would grow beyond SIZE bytes; KEPT old ones stay, the oldest has the highest number."""


class PlanHistory:
    """Only what is news: plans with actions, and plans that say something else than the one before."""

    def __init__(self, file: Path, size: int = SIZE) -> None:
        self._file = file
        self._size = size
        self._last: ScalingPlan | None = None

    def record(self, plan: ScalingPlan, fence: int) -> None:
        """Append the plan if it is news. fence: of the leader that made it. Raises OSError."""
        silent = plan.model_copy(update={"made_at": None, "inputs": None})
        if silent == self._last and not plan.actions:
            return
        line = json.dumps({"fence": fence, **plan.model_dump(mode="json")}) + "\n"
        if self._file.exists() and self._file.stat().st_size + len(line) > self._size:
            self._put_aside()
        with self._file.open("a", encoding="ascii") as file:
            file.write(line)
        self._last = silent

    def _put_aside(self) -> None:
        for number in range(KEPT, 0, -1):
            older = self._numbered(number - 1) if number > 1 else self._file
            if older.exists():
                older.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._file.with_name(f"{self._file.name}.{number}")
