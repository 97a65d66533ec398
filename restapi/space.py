"""How much room users and groups have in the object store, how much of it they use, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from prominence.core.errors import QuotaReached, TooLarge
from prominence.restapi import ledger
from prominence.restapi.areas import Area, Kind, own
from prominence.restapi.identity import Identity
from prominence.restapi.services import Services


@dataclass(frozen=True)
class Usage:
    """Bytes of a user or a group. outputs: of jobs; they count for the user whose job it is, never for a group."""

    uploads: int
    outputs: int
    quota: int

    @property
    def room(self) -> int:
        """What may still come; below 0 when the quota was made smaller."""
        return self.quota - self.uploads - self.outputs


def usage(area: Area, services: Services) -> Usage:
    """Of an area's owner. Raises Unavailable."""
    uploads = sum(stored.size for stored in services.objects.list(area.folder))
    if area.kind is Kind.GROUP:
        return Usage(uploads, 0, services.limits.group_quota)
    return Usage(uploads, ledger.outputs_of(area.owner, services.store), services.limits.user_quota)


class Room(NamedTuple):
    """How large an object may be that comes now, and how much its owner's uploads may be together with it."""

    largest: int
    together: int


def most(area: Area, replaced: int, size: int | None, services: Services) -> Room:
    """What may come into the area now. Raises QuotaReached, TooLarge.

    replaced: bytes of the one whose place it takes. size: its own, where that is known.
    """
    largest = services.limits.largest_object
    if size is not None and size > largest:
        raise TooLarge(f"It has {size} bytes, and an object may have {largest}.")
    used = usage(area, services)
    room = used.room + replaced
    if room <= 0 or (size is not None and size > room):
        whose = "Your" if area.kind is Kind.USER else f"Group {area.owner}'s"
        raise QuotaReached(
            f"{whose} quota of {used.quota} bytes is used up: {max(room, 0)} are left. Delete what is no longer "
            "needed; `prominence quota` tells what is used."
        )
    return Room(min(largest, room), used.quota - used.outputs)


def told(caller: Identity, services: Services) -> dict[str, Any]:
    """What the caller and their groups use, of how much, and how long things are kept."""
    limits = services.limits
    return {
        "user": _told(usage(own(caller), services)),
        "groups": {group: _told(usage(Area(Kind.GROUP, group), services)) for group in caller.groups},
        "largestObject": limits.largest_object,
        "lifetimes": {
            "uploads": _seconds(limits.uploads_kept),
            "outputs": _seconds(limits.outputs_kept),
            "jobs": _seconds(limits.jobs_kept),
        },
    }


def _told(used: Usage) -> dict[str, int]:
    return {"uploads": used.uploads, "outputs": used.outputs, "used": used.uploads + used.outputs, "quota": used.quota}


def _seconds(kept: timedelta) -> int:
    return int(kept.total_seconds())
