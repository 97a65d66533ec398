"""What workers are, and what an hour of them costs: kept from what the scaler publishes, for as long as their jobs are.

A worker says nothing of that itself: it is imc's record that counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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


class MachineFollower:
    """clock: in seconds."""

    def __init__(self, store: KeyValue, book: MachineBook, clock: Callable[[], float]) -> None:
        self._store, self._book, self._clock = store, book, clock
        self._looked_at = -EVERY_S
        self._known: frozenset[Machine] = frozenset()
        self._trouble = ""

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


def machine_of(worker: Worker) -> Machine | None:
    """By imc's record; None for one that has no machine yet."""
    flavour = worker.flavour
    if flavour is None:
        return None
    return Machine(worker.name, flavour.cloud, flavour.region, flavour.name, flavour.price, flavour.size)
