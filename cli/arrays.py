"""The user's arrays: many equal jobs under one number. Their members are jobs: see `Client.find`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prominence.cli.errors import Unreachable
from prominence.cli.follow import Clock
from prominence.cli.gather import Array, gather
from prominence.cli.transport import Transport

if TYPE_CHECKING:
    from prominence.core.job import JobSpec  # takes long to import, and commands do not need it


_CLOCK = Clock(now=time.monotonic, sleep=time.sleep)


class Arrays:
    """What is done with many equal jobs at once."""

    def __init__(self, api: Transport, clock: Clock = _CLOCK) -> None:
        self._api, self._clock = api, clock

    def submit(self, job: JobSpec | Mapping[str, Any], count: int, idempotency_key: str | None = None) -> int:
        """Submit so many of this job, all of them or none; the array's id. Its members are ID.0, ID.1 and so on.

        However often the request must be repeated, one array is made: see `Client.create_job`.
        """
        document = job if isinstance(job, Mapping) else job.as_written()
        return self._api.create("/arrays", {"count": count, "job": document}, idempotency_key)

    def list(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Our arrays, the newest first."""
        found = self._api.call("GET", "/arrays", query=[("limit", str(limit))] if limit else [])
        if not isinstance(found, list) or not all(isinstance(array, dict) for array in found):
            raise self._api.strange()
        return found

    def get(self, array_id: int) -> dict[str, Any]:
        """One of them: its `count` of members, and in `statuses` how many of these have which."""
        return self._api.document("GET", f"/arrays/{array_id}")

    def wait(self, array_id: int, timeout_s: float | None = None) -> dict[str, Any]:
        """Wait until all members have ended, well or not; the array then.

        Raises TimeoutError; Unreachable when the API is away for minutes.
        """
        return gather(self, array_id, _Nobody(), self._clock, timeout_s)

    def delete(self, array_id: int) -> None:
        """Take all members out of the queue, ending those that run."""
        self._api.send("DELETE", f"/arrays/{array_id}")

    def hold(self, array_id: int) -> None:
        """Let no member start; those that run are ended, and begin anew when they are released."""
        self._api.send("PUT", f"/arrays/{array_id}/hold")

    def release(self, array_id: int) -> None:
        """Let all members start again that are on hold."""
        self._api.send("PUT", f"/arrays/{array_id}/release")


class _Nobody:
    """Is told how it goes."""

    def seen(self, array: Array) -> None:
        pass

    def away(self, error: Unreachable) -> None:
        pass
