"""Waiting to save money, where the policy has patience: who waits, for what, and until when. Pure.

A job that has come lately may wait for room that becomes free, and for machines that are not dear: of these one is
ordered as soon as jobs fill it. When its patience is over it gets whatever is to be had. A machine is dear if one of
another flavour has more of everything for the money; it takes only jobs whose patience is over, or else one job after
another would keep it for days.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf

import numpy as np

from prominence.core.machines import Flavour, Size
from prominence.core.scaling import Act, Action, Cause
from prominence.core.snapshot import PoolSnapshot
from prominence.scaler import amounts, giving, packing, removal, waits
from prominence.scaler.catalogue import Catalogue, Kind, kind_of, wanted_kind
from prominence.scaler.explain import Given, Held
from prominence.scaler.ordering import Order, Shop, orders
from prominence.scaler.packing import Waiting, Wanted
from prominence.scaler.policy import Policy
from prominence.scaler.pool import Pool, Room, Stage

_DEARER = 1.1
"""So many times the price of another is dear."""
_FULL = 0.9
"""So much of it is used."""
_LARGE = 0.5
"""Of the largest flavour that may be ordered: what is smaller is not worth one of the few places of a cheap cloud."""
_ALONE = 1
"""Below so many cores jobs share a dear machine: each gets one of matching size, paid no longer than it runs."""
_TOGETHER = 1 << 30
"""... and a machine that is not dear: any jobs do."""


@dataclass(frozen=True)
class Patience:
    """young: those that may still wait, with until when, and whom they are like; dear: flavours."""

    young: Mapping[Wanted, datetime]
    like: Mapping[Wanted, Wanted]
    dear: frozenset[Kind]

    def served(
        self, waiting: Waiting, rooms: Sequence[Room], shop: Shop, budget: int
    ) -> tuple[list[Given], list[Order], Waiting, Shop]:
        """Room, new machines, and who is left, as without patience."""
        given, left = self._given(waiting, rooms)
        found, left, shop = self._ordered(left, shop, budget)
        return (
            [replace(one, shares=self._as_asked(one.shares)) for one in given],
            [replace(one, shares=self._as_asked(one.shares)) for one in found],
            left,
            shop,
        )

    def held(self, left: Waiting) -> tuple[Held, ...]:
        """Of those that are left the young ones, and until when they wait at the latest."""
        return tuple((self.like.get(one, one), jobs, self.young[one]) for one, jobs in left if one in self.young)

    def waiting(self, left: Waiting) -> tuple[Waiting, Waiting]:
        """Of those that are left: those that need a machine now, and those that may wait."""
        return (
            tuple(one for one in left if one[0] not in self.young),
            tuple(one for one in left if one[0] in self.young),
        )

    def closed(self, pool: Pool, used: Collection[str], policy: Policy, going: int) -> Iterator[Action]:
        """Drain dear workers that run something and that no waiting job has been given, so that they come to an end.

        going: how many are drained for other reasons.
        """
        may_go = pool.staying - policy.min_workers - going
        for member in pool.members if self.dear else ():
            worker = member.record
            if not worker or wanted_kind(worker) not in self.dear or not member.point or member.name in used:
                continue
            if member.is_at_work and may_go > 0:
                may_go -= 1
                reason = "it is dear: while there is patience it takes no more jobs, and what it runs goes on"
                yield removal.action(Act.DRAIN, worker, Cause.DEAR, reason)

    def _given(self, waiting: Waiting, rooms: Sequence[Room]) -> tuple[list[Given], Waiting]:
        """To those first whose patience is over: it was for them that machines were ordered."""
        due, young = self.waiting(waiting)
        given, left = giving.give(rooms, due)
        if not young:
            return given, left
        taken = {one.room.worker: packing.total(one.shares) for one in given}
        rest = [
            room._replace(free=room.free - taken[room.worker]) if room.worker in taken else room
            for room in rooms
            if room.stage is not Stage.LEAVING
            or room.worker in taken
            or (room.place.cloud, room.flavour) not in self.dear
        ]
        more, left_young = giving.give(rest, young)
        shares = {one.room.worker: one.shares for one in more}
        first = [replace(one, shares=one.shares + shares.pop(one.room.worker, ())) for one in given]
        return [*first, *(one for one in more if one.room.worker in shares)], (*left, *left_young)

    def _ordered(self, left: Waiting, shop: Shop, budget: int) -> tuple[list[Order], Waiting, Shop]:
        """Cheap machines that are filled; for those whose patience is over cheap ones that are not, and then any."""
        bound = _where_it_is_cheap([one for one in left if one[0].nodes == 1], shop.catalogue)
        together, alone = replace(shop, small_cpus=_TOGETHER), replace(shop, small_cpus=_ALONE)
        full = [order for order in orders(_cheap(left, bound), together, budget)[0] if _is_full(order, shop.catalogue)]
        found, left, alone, budget = _taken(full, bound, left, alone, budget)
        due, young = self.waiting(left)
        cheap = orders(_cheap(due, bound), alone, budget)[0]
        more, due, alone, budget = _taken(cheap, bound, due, alone, budget)
        any_there_is, due, alone = orders(due, alone, budget)
        return [*found, *more, *any_there_is], (*due, *young), replace(alone, small_cpus=shop.small_cpus)

    def _as_asked(self, shares: Waiting) -> Waiting:
        """Those that are young together with those that they are like."""
        if not any(wanted in self.like for wanted, _ in shares):
            return shares
        jobs: Counter[Wanted] = Counter()
        for wanted, count in shares:
            jobs[self.like.get(wanted, wanted)] += count
        return tuple(jobs.items())


def of_jobs(
    waiting: Waiting, catalogue: Catalogue, snapshot: PoolSnapshot, policy: Policy, now: datetime
) -> tuple[Waiting, Patience]:
    """The same jobs, those first whose patience is over.

    That is so of jobs of several nodes, too, and where nobody knows since when they wait.
    """
    since: dict[Hashable, list[tuple[datetime, int]]] = defaultdict(list)
    for wait in snapshot.seen_waits:
        if now - wait.since < policy.patience:
            since[waits.key(wait)].append((wait.since, wait.jobs))
    left = Counter({key: sum(jobs for _, jobs in found) for key, found in since.items()})
    due: list[tuple[Wanted, int]] = []
    young: list[tuple[Wanted, int]] = []
    until: dict[Wanted, datetime] = {}
    like: dict[Wanted, Wanted] = {}
    for wanted, jobs in waiting:
        key = waits.key(wanted.demand)
        count = min(jobs, left[key]) if wanted.nodes == 1 else 0
        left[key] -= count
        if not count:
            due.append((wanted, jobs))
            continue
        one = wanted
        if jobs > count:
            due.append((wanted, jobs - count))
            one = Wanted(wanted.demand, wanted.placement)
            like[one] = wanted
        young.append((one, count))
        until[one] = max(moment for moment, _ in since[key]) + policy.patience
    return (*due, *young), Patience(until, like, dear(catalogue.not_refused()))


def _cheap(left: Waiting, bound: Mapping[Wanted, Wanted]) -> Waiting:
    """Those that run anywhere, bound to where it is cheap for them."""
    return tuple((bound[one], jobs) for one, jobs in left if one in bound)


def _taken(
    planned: Iterable[Order], bound: Mapping[Wanted, Wanted], left: Waiting, shop: Shop, budget: int
) -> tuple[list[Order], Waiting, Shop, int]:
    """The orders for those who asked, who is left, and what may be ordered still."""
    asked = {one: wanted for wanted, one in bound.items()}
    found: list[Order] = []
    served: Counter[Wanted] = Counter()
    for order in planned:
        found.append(replace(order, shares=tuple((asked[one], jobs) for one, jobs in order.shares)))
        shop = shop.after(order)
        budget -= order.machines
        for wanted, jobs in found[-1].shares:
            served[wanted] += jobs * order.machines
    return found, packing.after(left, served), shop, budget


def _is_full(order: Order, catalogue: Catalogue) -> bool:
    """And large."""
    size, cloud = order.flavour.size, order.flavour.cloud
    largest = max(flavour.size.cpus for flavour in catalogue.flavours if flavour.cloud == cloud)
    return size.cpus >= _LARGE * largest and _part(order.size, size) >= _FULL


def _where_it_is_cheap(left: Sequence[tuple[Wanted, int]], catalogue: Catalogue) -> dict[Wanted, Wanted]:
    """Of those that run anywhere the same, bound to the clouds that are cheap for them."""
    flavours = catalogue.not_refused()
    rooms, needs = amounts.rooms(f.size for f in flavours), amounts.needs(one.size for one, _ in left)
    may = amounts.takes([one.placement for one, _ in left], [f.place for f in flavours])
    clouds = sorted({flavour.cloud for flavour in catalogue.flavours})
    prices, of = np.array([f.price for f in flavours]), np.array([clouds.index(f.cloud) for f in flavours], dtype=int)
    found = {}
    for row, (wanted, _) in enumerate(left):
        copies = np.where(may[row], amounts.copies(needs[row], rooms), 0)
        least = np.full(len(clouds), inf)
        np.minimum.at(least, of, np.where(copies > 0, prices / np.maximum(copies, 1), inf))
        if np.isfinite(least).any():
            dear = (cloud for cloud, price in zip(clouds, least, strict=True) if price > _DEARER * least.min())
            closed = tuple(sorted({*wanted.placement.closed, *dear}))
            found[wanted] = Wanted(wanted.demand, wanted.placement.model_copy(update={"closed": closed}))
    return found


def dear(flavours: Iterable[Flavour]) -> frozenset[Kind]:
    """Of these the flavours of which others have more of everything for the money."""
    each = {kind_of(flavour): _money(flavour) for flavour in flavours}
    prices = set(each.values())
    is_dear = {own: any(_is_less(other, own) for other in prices) for own in prices}
    return frozenset(kind for kind, own in each.items() if is_dear[own])


def _money(flavour: Flavour) -> tuple[float, ...]:
    """For one of each kind of room; without end for what it has none of."""
    return tuple(flavour.price / amount if amount else inf for amount in _all_of(flavour.size))


def _is_less(one: Sequence[float], other: Sequence[float]) -> bool:
    """By much, for each kind of room that the other has."""
    had = [(own, price) for own, price in zip(one, other, strict=True) if price < inf]
    return all(_DEARER * own <= price and price > 0 for own, price in had)


def _part(of: Size, whole: Size) -> float:
    """Of what is taken most."""
    return max((part / there for part, there in zip(_all_of(of), _all_of(whole), strict=True) if there), default=0.0)


def _all_of(size: Size) -> tuple[int, int, int, int]:
    return size.cpus, size.memory_mib, size.disk_mib, size.gpus
