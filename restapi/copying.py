"""Bring the accounts to another store, piece by piece, whenever it is there.

What has yet to be brought is kept on disk by the one who books (`adapters.outbox`), so nothing is lost while the store
is away. Each attempt has the same name there each time, so what is brought twice is there once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from prominence.core import logs
from prominence.core.errors import Unavailable
from prominence.restapi.usage import UsageRecord

log = logs.get(__name__)

AT_ONCE = 1000
PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0


@dataclass(frozen=True)
class Entry:
    """An attempt as it is booked now. number: larger than that of the same attempt as it was before."""

    number: int
    record: UsageRecord


@dataclass(frozen=True)
class Backlog:
    """What the store has yet to be told. since: when the oldest was booked, a Unix epoch. why: it refuses some."""

    waiting: int = 0
    since: int | None = None
    refused: int = 0
    why: str = ""


@dataclass(frozen=True)
class Taken:
    """What became of entries, by their numbers; those that are in neither are to be brought again."""

    sent: Sequence[int] = ()
    refused: Mapping[int, str] = field(default_factory=dict)


class Source(Protocol):
    """What is to be brought."""

    def next(self, most: int) -> list[Entry]:
        """The oldest of it."""

    def sent(self, entries: Sequence[int]) -> None:
        """The store has these."""

    def refused(self, entries: Mapping[int, str]) -> None:
        """It never takes these as they are."""

    def all_again(self) -> None:
        """It has nothing."""


class Store(Protocol):
    """Where it is brought. Every verb raises Unavailable when it is away."""

    def prepare(self) -> bool:
        """See to it that it can take attempts; False where it has none, so that all are to be brought."""

    def take(self, entries: Sequence[Entry]) -> Taken:
        """Keep these, each in the place of what was brought of it with a smaller number."""


class Copier:
    """at_once: entries of one piece."""

    def __init__(self, source: Source, store: Store, at_once: int = AT_ONCE) -> None:
        self._source, self._store, self._at_once = source, store, at_once
        self._is_prepared = False

    def step(self) -> bool:
        """Bring the next piece; whether there is more to be done at once. Raises Unavailable."""
        try:
            if not self._is_prepared:
                if not self._store.prepare():
                    self._source.all_again()
                self._is_prepared = True
            entries = self._source.next(self._at_once)
            if not entries:
                return False
            taken = self._store.take(entries)
        except Unavailable:
            self._is_prepared = False  # whatever was there before may be gone when it comes back
            raise
        self._source.sent(taken.sent)
        if taken.refused:
            self._source.refused(taken.refused)
            log.error("the store refuses usage", attempts=len(taken.refused), why=next(iter(taken.refused.values())))
        if len(taken.sent) + len(taken.refused) < len(entries):
            raise Unavailable("It has not taken all of what was brought.")
        return True


def copy_on(copier_of: Callable[[], Copier], stop: threading.Event) -> None:
    """Step after step until `stop`, whatever happens. copier_of: made in the thread that uses it."""
    copier, pause, trouble = copier_of(), PAUSE_S, ""
    while not stop.is_set():
        try:
            busy = copier.step()
            if trouble:
                log.info("the store of usage is back")
            pause, trouble = PAUSE_S, ""
        except Unavailable as error:
            if str(error) != trouble:
                log.warning("the store of usage is away", error=str(error))
            busy, pause, trouble = False, min(pause * 2, LONGEST_PAUSE_S), str(error)
        except Exception as error:
            log.exception("usage could not be brought to its store", error=repr(error))
            busy, pause = False, min(pause * 2, LONGEST_PAUSE_S)
        if not busy:
            stop.wait(pause)
