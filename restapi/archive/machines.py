"""What workers are, and what an hour of them costs: kept from what the scaler publishes, for as long as their jobs are;
and which of them their clouds take away, for the story of the jobs that were there.

A worker says nothing of that itself: it is imc's record that counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from prominence.core import logs
from prominence.core.errors import Rejected, Unavailable
from prominence.core.keyvalue.port import KeyValue
from prominence.core.machines import Worker
from prominence.core.published import read_snapshot
from prominence.restapi.booking import Machine

log = logs.get(__name__)

EVERY_S = 1.0
"""A worker lives longer than that, and imc keeps its record for longer still."""


class MachineBook(Protocol):
    """Where it is written."""

    def book_machines(self, machines: Iterable[Machine]) -> None:
        """What these workers are."""


class AttemptBook(Protocol):
    """Where the stories of jobs are written."""

    def book_taken(self, taken: Mapping[str, int]) -> None:
        """Since when clouds have been taking these workers away: attempts that ended for that say so."""


class MachineFollower:
    """clock: in seconds."""

    def __init__(self, store: KeyValue, book: MachineBook, attempts: AttemptBook, clock: Callable[[], float]) -> None:
        self._store, self._book, self._attempts, self._clock = store, book, attempts, clock
        self._taken: dict[str, int] = {}
        self._looked_at = -EVERY_S
        self._known: frozenset[Machine] = frozenset()
        self._trouble = ""

    def taken(self) -> Mapping[str, int]:
        """Since when clouds have been taking workers away, of those that imc knew when it was looked at last."""
        return self._taken

    def step(self) -> None:
        """Look again, if it is time. What cannot be read now is read later."""
        if self._clock() - self._looked_at < EVERY_S:
            return
        self._looked_at = self._clock()
        try:
            snapshot = read_snapshot(self._store)
        except (Unavailable, Rejected) as error:
            if str(error) != self._trouble:
                log.warning("what workers are cannot be read", error=str(error))
            self._trouble = str(error)
            return
        self._trouble = ""
        if snapshot is None or snapshot.workers is None:
            return
        seen = frozenset(machine for worker in snapshot.workers if (machine := machine_of(worker)))
        if seen - self._known:
            self._book.book_machines(sorted(seen - self._known, key=lambda machine: machine.worker))
        self._known = seen
        taken = {worker.name: int(at.timestamp()) for worker in snapshot.workers if (at := worker.taken_at)}
        # What ends from now on the other follower sees itself; this is for what was faster.
        if new := {name: at for name, at in taken.items() if name not in self._taken}:
            self._attempts.book_taken(new)
        self._taken = taken


def machine_of(worker: Worker) -> Machine | None:
    """By imc's record; None for one that has no machine yet."""
    flavour = worker.flavour
    if flavour is None:
        return None
    return Machine(worker.name, flavour.cloud, flavour.region, flavour.name, flavour.price, flavour.size)
