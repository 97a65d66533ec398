"""What the executor itself says on the job's stderr, for people. On a full disk that is lost, and nothing else is."""

from __future__ import annotations

import os
import sys


def say(text: str) -> None:
    """Never fails."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        # Python would try again when it ends, and end with an exit code of its own.
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - as long as the process lives
