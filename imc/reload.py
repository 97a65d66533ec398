"""New settings while imc runs: read when a signal says so, and taken over as a whole or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from prominence.core import logs
from prominence.core.errors import Mistake, Rejected, Unavailable
from prominence.imc.meter import Meter
from prominence.imc.ports import Cloud
from prominence.imc.records import Records
from prominence.imc.settings import ImcSettings

log = logs.get(__name__)

_TAKEN_OVER = {"clouds", "deadlines"}


@dataclass(frozen=True)
class Configured:
    """Settings, and the clouds as they declare them. later: keys that say something else after a restart only."""

    settings: ImcSettings
    clouds: Mapping[str, Cloud]
    later: tuple[str, ...] = ()


def merged(in_force: ImcSettings, told: ImcSettings) -> tuple[ImcSettings, tuple[str, ...]]:
    """What can be in force of what was told, and the keys of which that cannot be before a restart."""
    changes = {key: getattr(told, key) for key in _TAKEN_OVER}
    rest = type(told).model_fields.keys() - _TAKEN_OVER
    later = sorted(key for key in rest if getattr(told, key) != getattr(in_force, key))
    return in_force.model_copy(update=changes), tuple(later)


class Reload:
    """`ask` is called by any thread, or a signal's handler; `check` between two rounds, by theirs.

    read: with what is in force, gives what is to be. Raises Rejected with all mistakes, or Unavailable.
    apply: all of it, or it raises Rejected.
    """

    def __init__(
        self,
        configured: Configured,
        read: Callable[[Configured], Configured],
        records: Records,
        apply: Callable[[Configured], None],
        meter: Meter,
    ) -> None:
        self.in_force = configured
        self._read = read
        self._records = records
        self._apply = apply
        self._meter = meter
        self._asked = threading.Event()
        self.trouble = ""

    def ask(self) -> None:
        """Read them before the next round."""
        self._asked.set()

    def check(self) -> None:
        """Take new settings over if somebody has asked for it. Raises Unavailable when it is to be tried again."""
        if not self._asked.is_set():
            return
        self._asked.clear()  # first: whoever asks meanwhile may have written what is not read any more
        try:
            found = self._read(self.in_force)
            self._must_keep_used_clouds(found)
            self._apply(found)
        except Rejected as error:
            self.trouble = f"the settings are refused, and those of before are in force: {error}"
            log.error("the settings are refused", mistakes=[str(mistake) for mistake in error.mistakes])
            self._meter.configured(is_valid=False)
        except Unavailable:
            self._asked.set()
            raise
        else:
            self._took_over(found)

    def _took_over(self, found: Configured) -> None:
        self.in_force = found
        self.trouble = f"in force after a restart only: {', '.join(found.later)}" if found.later else ""
        log.info("the settings are in force", clouds=sorted(found.clouds), after_a_restart=found.later)
        self._meter.configured(is_valid=True)

    def _must_keep_used_clouds(self, found: Configured) -> None:
        """What runs on a cloud that nobody knows can neither be seen nor removed."""
        gone = self.in_force.clouds.keys() - found.clouds.keys()
        if not gone:
            return
        used = [
            record.flavour.cloud
            for record in self._records.all().records
            if record.flavour and not record.phase.is_over and record.flavour.cloud in gone
        ]
        if used:
            raise Rejected(
                [
                    Mistake(f"clouds.{cloud}", f"cannot be left out while workers are there: {used.count(cloud)}")
                    for cloud in sorted(set(used))
                ]
            )
