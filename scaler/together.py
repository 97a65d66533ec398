"""Jobs of several nodes: all nodes of a job in one region of one cloud, as they talk to each other. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from prominence.core.machines import Flavour
from prominence.core.placement import Area, Place
from prominence.scaler import packing
from prominence.scaler.catalogue import Catalogue
from prominence.scaler.packing import Waiting, Wanted
from prominence.scaler.pool import Room


def together(waiting: Waiting, rooms: Sequence[Room], catalogue: Catalogue) -> tuple[Waiting, Waiting]:
    """The same jobs, those of several nodes bound to the place that is best for them; and those that no place holds."""
    if all(wanted.nodes == 1 for wanted, _ in waiting):
        return waiting, ()
    bound: list[tuple[Wanted, int]] = []
    nowhere: list[tuple[Wanted, int]] = []
    offered = catalogue.open()
    for wanted, jobs in waiting:
        if wanted.nodes == 1:
            bound.append((wanted, jobs))
        elif place := _best_place(wanted, min(jobs, wanted.nodes), rooms, offered, catalogue):
            bound.append((_in(wanted, place), jobs))
        else:
            nowhere.append((wanted, jobs))
    return tuple(bound), tuple(nowhere)


def _in(wanted: Wanted, place: Place) -> Wanted:
    """In machines of which nobody tells where they are a job is not bound: there is no name for it."""
    if not place.cloud:
        return wanted
    area = Area(sites=(place.cloud,), regions=(place.region,) if place.region else ())
    return Wanted(wanted.demand, wanted.placement.model_copy(update={"requirements": area}))


def _best_place(
    wanted: Wanted, nodes: int, rooms: Sequence[Room], offered: Sequence[Flavour], catalogue: Catalogue
) -> Place | None:
    """Of the places that hold so many nodes the one that the job prefers, then the one with most room for them that is
    there already, then the cheapest."""
    there = _there(wanted, rooms)
    fitting = [flavour for flavour in offered if packing.runs(flavour, wanted)]
    ranked = []
    for place in sorted({*there, *(flavour.place.region_of_it for flavour in fitting)}):
        kinds = [flavour for flavour in fitting if flavour.place.region_of_it == place]
        to_come = sum(catalogue.room_for(f) * packing.copies(wanted.size, f.size) for f in kinds)
        has = min(there.get(place, 0), nodes)
        if has + to_come >= nodes:
            price = min((f.price / packing.copies(wanted.size, f.size) for f in kinds), default=0.0)
            ranked.append((wanted.placement.distance(place), -has, price, place))
    return min(ranked)[-1] if ranked else None


def _there(wanted: Wanted, rooms: Sequence[Room]) -> dict[Place, int]:
    """How many nodes there is room for already, by place."""
    found: dict[Place, int] = {}
    for room in rooms:
        if wanted.placement.takes(room.place) and (fitting := packing.copies(wanted.size, room.free)):
            place = room.place.region_of_it
            found[place] = found.get(place, 0) + fitting
    return found
