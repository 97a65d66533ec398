"""The clouds as they were seen last: what they offer, how full they are, and why one cannot be used now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from prominence.core.machines import CloudStatus, Flavour
from prominence.imc import setbacks
from prominence.imc.placement import CloudView
from prominence.imc.ports import Cloud
from prominence.imc.records import Record
from prominence.imc.setbacks import Setbacks
from prominence.imc.world import World


class Catalogue:
    """Flavours are kept when their cloud falls silent, so that "not now" does not become "never"."""

    def __init__(self, clouds: Mapping[str, Cloud], known_setbacks: Setbacks) -> None:
        self._limits = {name: cloud.limit for name, cloud in clouds.items()}
        self._flavours: dict[str, tuple[Flavour, ...]] = {}
        self._occupants: dict[str, set[str]] = {name: set() for name in clouds}
        self._troubles: Mapping[str, str] = {}
        self._setbacks = known_setbacks

    def update(self, world: World, records: Iterable[Record]) -> None:
        """Take in what was seen. A worker that was placed counts from its placement until its end."""
        self._flavours.update(world.flavours)
        self._troubles = world.troubles
        self._occupants = {name: set(world.nodes.get(name, ())) for name in self._limits}
        for record in records:
            if record.flavour and not record.phase.is_over:
                self.occupy(record.flavour.cloud, record.name)

    def occupy(self, cloud: str, worker: str) -> None:
        """Count a worker that is being made there."""
        self._occupants.setdefault(cloud, set()).add(worker)

    def trouble(self, cloud: str, now: datetime) -> str:
        """Why nothing can be made there now; "" when it can."""
        setback = self._setbacks.of(setbacks.cloud(cloud), now)
        return self._troubles.get(cloud, "") or (setback.reason if setback else "")

    def views(self, now: datetime, worker: str) -> list[CloudView]:
        """For placement of this worker, which is in nobody's way but others'."""
        return [
            CloudView(
                name=cloud,
                flavours=self._flavours.get(cloud, ()),
                limit=limit,
                occupied=len(self._occupants[cloud] - {worker}),
                trouble=self.trouble(cloud, now),
                flavour_trouble=self._flavour_trouble(cloud, now),
            )
            for cloud, limit in self._limits.items()
        ]

    def statuses(self, now: datetime) -> tuple[CloudStatus, ...]:
        """For whoever asks the API."""
        return tuple(
            CloudStatus(
                name=cloud,
                flavours=self._flavours.get(cloud, ()),
                limit=limit,
                error=self.trouble(cloud, now),
                retry_at=setback.retry_at if (setback := self._setbacks.of(setbacks.cloud(cloud), now)) else None,
            )
            for cloud, limit in self._limits.items()
        )

    def _flavour_trouble(self, cloud: str, now: datetime) -> dict[str, str]:
        known = (
            (f.name, self._setbacks.of(setbacks.flavour(cloud, f.name), now)) for f in self._flavours.get(cloud, ())
        )
        return {name: setback.reason for name, setback in known if setback}
