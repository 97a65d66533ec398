"""What costs too much for what it does, where there is patience: flavours, and workers that are hardly used. Pure.

Such a worker takes only jobs whose patience is over, or so many that they fill it well. What it runs goes on, and ends
it: or else one job after another would keep it for days.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from prominence.core.machines import Flavour, Size, Wish
from prominence.core.scaling import Act, Action, Cause
from prominence.core.snapshot import ExecutePoint
from prominence.scaler import amounts, packing, removal
from prominence.scaler.amounts import Yes
from prominence.scaler.catalogue import Kind, kind_of, wanted_kind
from prominence.scaler.explain import Given
from prominence.scaler.policy import Policy
from prominence.scaler.pool import Member, Pool, Room, Stage

DEARER = 1.1
"""So many times the price of another is dear."""
_HARDLY = 0.3
"""Of a worker that is hardly used a smaller part is, of what is used most."""
_LONG = timedelta(minutes=1)
"""... and has been for so long: the queue may tell that a job runs before the collector tells that room is taken."""
_WELL = 0.5
"""So much of it must be used before it takes jobs again that may wait."""


@dataclass(frozen=True)
class Dear:
    """kinds: flavours. hardly_used: the whole size of each such worker, by its name."""

    kinds: frozenset[Kind]
    hardly_used: Mapping[str, Size]

    def is_closed(self, room: Room) -> bool:
        """Whether it comes to an end, whoever may wait."""
        return room.stage is Stage.LEAVING and (room.place.cloud, room.flavour) in self.kinds

    def is_filled(self, given: Given) -> bool:
        """Whether a worker that is hardly used would be used well with these jobs."""
        whole = self.hardly_used[given.room.worker]
        return packing.share(whole - given.room.free + packing.total(given.shares), whole) >= _WELL

    def closed(self, pool: Pool, used: Collection[str], policy: Policy, going: int) -> Iterator[Action]:
        """Drain the workers that run something and that no waiting job has been given, so that they come to an end.

        going: how many are drained for other reasons.
        """
        may_go = pool.staying - policy.min_workers - going
        for member in pool.members if self.kinds or self.hardly_used else ():
            worker = member.record
            if not worker or not member.point or not member.is_at_work or member.name in used or may_go <= 0:
                continue
            if said := self._why(member.name, wanted_kind(worker)):
                may_go -= 1
                reason = f"{said}: while there is patience it takes no more jobs, and what it runs goes on"
                yield removal.action(Act.DRAIN, worker, Cause.DEAR, reason)

    def _why(self, name: str, kind: Kind) -> str:
        if kind in self.kinds:
            return "it is dear"
        return "it is hardly used" if name in self.hardly_used else ""


def dear(pool: Pool, flavours: Iterable[Flavour], now: datetime) -> Dear:
    """Of this pool, where these flavours may be ordered."""
    found = ((member.name, whole) for member in pool.members if (whole := _hardly_used(member, now)))
    return Dear(kinds(flavours), dict(found))


def is_hardly_used(point: ExecutePoint) -> bool:
    """Whether it runs something, and little."""
    return point.claimed_slots > 0 and packing.share(point.total - point.free, point.total) < _HARDLY


def _hardly_used(member: Member, now: datetime) -> Size | None:
    """Its whole size. Nothing is saved by ending a worker that costs nothing."""
    record, point = member.record, member.point
    if not point or not point.hardly_used_since or now - point.hardly_used_since < _LONG:
        return None
    if not record or not record.flavour or not record.flavour.price:
        return None
    return None if member.is_failing or member.wish is Wish.ABSENT else point.total


def kinds(flavours: Iterable[Flavour]) -> frozenset[Kind]:
    """Of these the flavours of which others have more of everything for the money, by much."""
    offered = tuple(flavours)
    rooms, prices = amounts.rooms(flavour.size for flavour in offered), np.array([f.price for f in offered])
    # The price of one of each kind of room; without end for what there is none of.
    each = np.divide(prices[:, None], rooms, out=np.full(rooms.shape, np.inf), where=rooms > 0)
    each, of = np.unique(each, axis=0, return_inverse=True)
    is_cheap = np.ones((len(each), len(each)), dtype=bool)  # each beside each
    for price in each.T:
        has_none = np.isinf(price)
        is_cheap &= has_none | ((DEARER * price[:, None] <= price) & (price > 0))
    is_dear: Yes = np.logical_or.reduce(is_cheap, axis=0)
    return frozenset(kind_of(flavour) for flavour, yes in zip(offered, is_dear[of.reshape(-1)], strict=True) if yes)
