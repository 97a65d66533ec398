"""A process that empties shelves, round after round, beside the API and with its settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from prominence.core.errors import Rejected
from prominence.restapi import beats, rounds
from prominence.restapi.services import Services
from prominence.restapi.settings import RestApiSettings


class Deliverer(Protocol):
    """Who empties them. interval_s: between rounds."""

    services: Services
    interval_s: float

    def round(self, stopped: Callable[[], bool]) -> float:
        """Deliver what is due; for how many seconds to rest then."""


def run(name: str, about: str, made: Callable[[RestApiSettings], Deliverer], arguments: Sequence[str] | None) -> int:
    """Deliver until told to end; the exit code. made: of the settings, which it may find wrong and raise Rejected."""
    options = rounds.parser(name, about).parse_args(arguments)
    try:
        deliverer = made(rounds.settled(name, options))
    except Rejected as error:
        return rounds.refused(name, error)
    stop = rounds.until_told()
    beat = beats.of(name, deliverer.services)
    rounds.go_round(lambda: deliverer.round(stop.is_set), stop, deliverer.interval_s, beat)
    return 0
