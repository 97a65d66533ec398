"""What a process that empties shelves remembers between two rounds. Nothing of it needs to outlive the process."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from prominence.core import logs
from prominence.core.errors import ProminenceError, Unavailable
from prominence.core.keyvalue.port import KeyValue
from prominence.restapi.outbox.rules import pause_s
from prominence.restapi.outbox.shelf import Shelf

log = logs.get(__name__)


@dataclass(frozen=True)
class _Deferral:
    """How often it has failed, and until when it is left alone."""

    failures: int
    until: datetime


@dataclass
class Deferrals:
    """What failed a moment ago is tried again after a pause, which grows."""

    interval_s: float
    _known: dict[str, _Deferral] = field(default_factory=dict)

    def due(self, keys: Iterable[str], now: datetime) -> set[str]:
        """Those that are not left alone now."""
        return {key for key in keys if key not in self._known or self._known[key].until <= now}

    def defer(self, key: str, now: datetime) -> None:
        """It has failed once more."""
        failures = self._known[key].failures + 1 if key in self._known else 0
        self._known[key] = _Deferral(failures, now + timedelta(seconds=pause_s(failures, self.interval_s)))

    @contextmanager
    def apart(self, key: str, now: datetime) -> Iterator[None]:
        """A mistake of ours with this one is no end of the round: it is logged, and the others have their turn."""
        try:
            yield
        except ProminenceError:
            raise
        except Exception as error:  # noqa: BLE001 - one must not end the others
            # Without the words of the exception: addresses, and with them secrets, may be in it.
            what, where = type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
            log.error("this one was not settled, by a mistake of ours", key=key, error=what, where=where)
            self.defer(key, now)

    def keep(self, keys: Collection[str]) -> None:
        """The others are no more."""
        self._known = {key: one for key, one in self._known.items() if key in keys}

    def forget(self, key: str) -> None:
        """It is well again."""
        self._known.pop(key, None)


@dataclass
class Patience:
    """How long to rest between rounds. trouble: what cannot be done while the service is not well, for the log."""

    trouble: str
    interval_s: float
    _failures: int = 0

    def after(self, one_round: Callable[[], None]) -> float:
        """For how many seconds, when it has been done as far as it could be."""
        try:
            one_round()
        except Unavailable as error:
            self._failures += 1
            log.warning(self.trouble, why=str(error), failures=self._failures)
        else:
            self._failures = 0
        return pause_s(self._failures, self.interval_s)

    def regain(self) -> None:
        """Something has worked: the next failure is the first one."""
        self._failures = 0


@dataclass
class Done:
    """What nothing is left to do of but to take it away: a store that does not answer makes nothing done twice."""

    _left: set[tuple[Shelf[Any], str]] = field(default_factory=set)

    def take_away(self, shelf: Shelf[Any], key: str, store: KeyValue) -> None:
        """Remembered until it is gone. Raises Unavailable."""
        self._left.add((shelf, key))
        shelf.take_away(key, store)
        self._left.discard((shelf, key))

    def again(self, store: KeyValue) -> None:
        """Whatever could not be taken away before. Raises Unavailable."""
        for shelf, key in tuple(self._left):
            self.take_away(shelf, key, store)
