"""What all imcs of a pool tell the collectors that are beside them, the same everywhere: kept together in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from prominence.core import logs
from prominence.core.errors import Conflict, ProminenceError

Entry = TypeVar("Entry")

log = logs.get(__name__)


@dataclass(frozen=True)
class Sides(Generic[Entry]):
    """here: what the collector here was told; tell: tells it. known: what all know, with its revision; keep: if it is
    still that one. merged: what comes of several lists, in whatever order they are."""

    here: Callable[[], Sequence[Entry]]
    tell: Callable[[Sequence[Entry]], None]
    known: Callable[[], tuple[Sequence[Entry], int]]
    keep: Callable[[Sequence[Entry], int], None]
    merged: Callable[[Iterable[Sequence[Entry]]], list[Entry]]


class Shared(Generic[Entry]):
    """what: for people, when it cannot be done."""

    def __init__(self, what: str, sides: Sides[Entry]) -> None:
        self._what, self._sides = what, sides
        self._trouble = ""
        self._heard = False
        """Whether the collector has certainly read what was written for it."""

    def share(self) -> None:
        """Once a round, whoever leads. What cannot be done now is done in the next."""
        try:
            self.add(())
            self._trouble = ""
        except ProminenceError as error:
            if str(error) != self._trouble:
                log.warning(f"{self._what} are not the same everywhere yet", error=str(error))
            self._trouble = str(error)

    def all(self) -> list[Entry]:
        """Raises Unavailable when the store or what was told here cannot be read."""
        return self._sides.merged([self._sides.here(), self._sides.known()[0]])

    def add(self, entries: Sequence[Entry]) -> None:
        """Tell the collector here at once, and all others in their next round. Raises Unavailable."""
        sides = self._sides
        here = sides.here()
        while True:
            known, revision = sides.known()
            together = sides.merged([here, known, entries])
            if together == list(known):
                break
            try:
                sides.keep(together, revision)
            except Conflict:  # another has just written
                continue
            break
        if together != list(here) or (together and not self._heard):
            self._heard = False
            sides.tell(together)
        self._heard = True
