"""A worker whose disk is full has failed the job, whoever notices it: the job is to run once more, elsewhere."""

from __future__ import annotations

from prominence.executor import diskuse
from prominence.executor.ports import WorkerLost


def check(error: OSError) -> None:
    """Raises WorkerLost if that is what the error tells of."""
    if error.errno in diskuse.FULL:
        raise WorkerLost("the worker's disk is full") from error
