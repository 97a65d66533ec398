"""Machines that carry our mark and belong to no record: seen for some time, they are to be deleted."""

from __future__ import annotations

from datetime import datetime, timedelta

from prominence.imc.records import Stock
from prominence.imc.world import World

Orphan = tuple[str, str]
"""Cloud and name."""


class Orphans:
    """Remembers since when each has been seen. The time is a grace: somebody may be restoring the records."""

    def __init__(self, grace_s: int) -> None:
        self._grace = timedelta(seconds=grace_s)
        self._since: dict[Orphan, datetime] = {}

    def grace(self, seconds: int) -> None:
        """Another from now on."""
        self._grace = timedelta(seconds=seconds)

    def seen(self) -> list[Orphan]:
        """Those that are there, whether their time is over or not."""
        return sorted(self._since)

    def due(self, world: World, stock: Stock, now: datetime) -> list[Orphan]:
        """Those whose time is over. A cloud that could not be read leaves everything as it was."""
        seen = {
            (cloud, name) for cloud, nodes in world.nodes.items() for name in nodes if not _has_home(stock, cloud, name)
        }
        kept = {orphan: since for orphan, since in self._since.items() if orphan[0] not in world.nodes}
        self._since = kept | {orphan: self._since.get(orphan, now) for orphan in seen}
        return sorted(orphan for orphan in seen if now - self._since[orphan] >= self._grace)


def _has_home(stock: Stock, cloud: str, name: str) -> bool:
    """The record of this name stands for this machine, or may do so."""
    record = stock.by_name.get(name)
    if record is None:
        return name in stock.unreadable
    return record.flavour is None or record.flavour.cloud == cloud
