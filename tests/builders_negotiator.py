"""What our negotiator goes by, as its configuration says it."""

from __future__ import annotations

from pathlib import Path

import prominence.images

_FILE = Path(next(iter(prominence.images.__path__))) / "access-point" / "condor" / "10-access-point.conf"


def lines() -> list[str]:
    """Of its configuration: which machine it takes."""
    return [line for line in _FILE.read_text().splitlines() if line.startswith("NEGOTIATOR_") and "RANK" in line]


def rank() -> str:
    """The expression by which machines are compared that a job finds equally good: of these it takes the highest."""
    [found] = [line.partition(" = ")[2] for line in lines() if line.startswith("NEGOTIATOR_POST_JOB_RANK ")]
    return found
