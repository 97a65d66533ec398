"""How jobs fare on each worker: how many different ones in a row it has failed, by HTCondor's events. Pure.

A worker that fails what it is given is free again at once, and is given the next job: it swallows a queue faster than
good workers work through it. That a job ends by itself, however it ends, says nothing against its worker; that the
executor hands it back, or could not even be started, does. Everything else that can befall a job may come from the
access point, from people or from the network, and would be held against all workers at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prominence.core.states import HoldCode

JobId = tuple[int, int]

_STARTS, _ENDS = "ExecuteEvent", "JobTerminatedEvent"
_LEFT = ("JobHeldEvent", "JobEvictedEvent", "ShadowExceptionEvent", "JobAbortedEvent", "JobReconnectFailedEvent")
_MOST = 100_000
"""Workers that are remembered: those that are gone are not told of."""


class Trials:
    """Of the jobs that have started since it was made."""

    def __init__(self) -> None:
        self._running: dict[JobId, str] = {}
        self._failed: dict[str, set[JobId]] = {}

    def failures(self) -> Mapping[str, int]:
        """By worker on which any job has started: how many different jobs in a row it has failed."""
        return {worker: len(jobs) for worker, jobs in self._failed.items()}

    def see(self, event: Mapping[str, Any]) -> None:
        """The next event. What says nothing of any worker is passed over."""
        kind, job = event.get("MyType"), _job(event)
        if job is None:
            return
        if kind == _STARTS:
            self._start(job, _worker(event))
        elif kind == _ENDS or kind in _LEFT:
            failed = self._failed.get(self._running.pop(job, ""), set())
            if _is_its_fault(event):
                failed.add(job)
            elif kind == _ENDS or _is_tried_again(event):
                failed.clear()

    def _start(self, job: JobId, worker: str) -> None:
        if not worker:
            return
        self._running[job] = worker
        self._failed[worker] = self._failed.pop(worker, set())  # the latest is last
        while len(self._failed) > _MOST:
            del self._failed[next(iter(self._failed))]


def _is_its_fault(event: Mapping[str, Any]) -> bool:
    if event.get("MyType") == "JobHeldEvent":
        return event.get("HoldReasonCode") == HoldCode.NOT_STARTED
    # Its policy says that it has not ended, though it was by a signal: the executor has handed it back.
    return event.get("TerminatedAndRequeued") is True and event.get("TerminatedNormally") is False


def _is_tried_again(event: Mapping[str, Any]) -> bool:
    """It has failed by itself, and its user wants another try."""
    return event.get("TerminatedAndRequeued") is True


def _job(event: Mapping[str, Any]) -> JobId | None:
    cluster, proc = event.get("Cluster"), event.get("Proc")
    return (cluster, proc) if isinstance(cluster, int) and isinstance(proc, int) else None


def _worker(event: Mapping[str, Any]) -> str:
    """From the name of the slot: slot1_2@WORKER."""
    return str(event.get("SlotName", "")).rpartition("@")[2]
