"""Waiting to save money, where the policy has patience: who waits, for what, and until when. Pure.

A job that has come lately may wait for room that becomes free, and for a machine on a cloud that is cheap for it: where
another cloud is dearer, one is ordered as soon as jobs fill it, while there is one. When its patience is over it gets
whatever is to be had. Which workers are not for jobs that may wait: `scaler.dear`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf

import numpy as np

from prominence.core.machines import Flavour
from prominence.core.snapshot import PoolSnapshot
from prominence.scaler import amounts, giving, packing, waits
from prominence.scaler.catalogue import Catalogue, kind_of
from prominence.scaler.dear import DEARER, Dear, dear
from prominence.scaler.explain import Given, Held
from prominence.scaler.ordering import Order, Shop, orders
from prominence.scaler.packing import Waiting, Wanted
from prominence.scaler.policy import Policy
from prominence.scaler.pool import Pool, Room

_FULL = 0.9
"""So much of it is used."""
_ALONE = 1
"""Below so many cores jobs share a dear machine: each gets one of matching size, paid no longer than it runs."""
_TOGETHER = 1 << 30
"""... and a machine that is not dear: any jobs do."""


@dataclass(frozen=True)
class Patience:
    """young: those that may still wait, with until when, and whom they are like."""

    young: Mapping[Wanted, datetime]
    like: Mapping[Wanted, Wanted]
    dear: Dear

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

    def _given(self, waiting: Waiting, rooms: Sequence[Room]) -> tuple[list[Given], Waiting]:
        """To those first whose patience is over: it was for them that machines were ordered."""
        due, young = self.waiting(waiting)
        given, left = giving.give(rooms, due)
        if not young:
            return given, left
        taken = {one.room.worker: packing.total(one.shares) for one in given}
        rest = [room._replace(free=room.free - taken[room.worker]) if room.worker in taken else room for room in rooms]
        rest = [room for room in rest if room.worker in taken or not self.dear.is_closed(room)]
        waste = self.dear.hardly_used.keys() - taken.keys()
        more, young = giving.give([room for room in rest if room.worker not in waste], young)
        again, young = self._filled([room for room in rest if room.worker in waste], young)
        shares = {one.room.worker: one.shares for one in more}
        first = [replace(one, shares=one.shares + shares.pop(one.room.worker, ())) for one in given]
        return [*first, *(one for one in more if one.room.worker in shares), *again], (*left, *young)

    def _filled(self, rooms: Sequence[Room], young: Waiting) -> tuple[list[Given], Waiting]:
        """Of these workers, which are hardly used, those that the jobs use well."""
        found = [one for one in giving.give(rooms, young)[0] if self.dear.is_filled(one)]
        served: Counter[Wanted] = Counter()
        for one in found:
            served.update(dict(one.shares))
        return found, packing.after(young, served)

    def _ordered(self, left: Waiting, shop: Shop, budget: int) -> tuple[list[Order], Waiting, Shop]:
        """Cheap machines that are filled; for those whose patience is over cheap ones that are not, and then any."""
        cheap = _where_it_is_cheap([one for one in left if one[0].nodes == 1], shop.catalogue)
        together, alone = replace(shop, small_cpus=_TOGETHER), replace(shop, small_cpus=_ALONE)
        # Where it costs the same everywhere nothing is lost by waiting: no cheap place that another could take.
        hasty = tuple(one for one in left if one[0] not in self.young or one[0] in cheap.contested)
        full = _full(orders(cheap.only(hasty), together, budget)[0], shop.catalogue)
        found, left, alone, budget = cheap.taken(full, left, alone, budget)
        due, young = self.waiting(left)
        more, due, alone, budget = cheap.taken(orders(cheap.only(due), alone, budget)[0], due, alone, budget)
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
    waiting: Waiting, pool: Pool, catalogue: Catalogue, snapshot: PoolSnapshot, policy: Policy, now: datetime
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
    return (*due, *young), Patience(until, like, dear(pool, catalogue.not_refused(), now))


def _full(planned: Iterable[Order], catalogue: Catalogue) -> list[Order]:
    """Of these orders those of full machines than which none is larger for about the same price of a core.

    A cheap cloud has few places.
    """
    full = [order for order in planned if packing.share(order.size, order.flavour.size) >= _FULL]
    offered: dict[str, list[Flavour]] = defaultdict(list)
    for flavour in catalogue.open():
        offered[flavour.cloud].append(flavour)
    ordered = {kind_of(order.flavour): order.flavour for order in full}
    small = {kind for kind, one in ordered.items() if any(_is_larger(other, one) for other in offered[one.cloud])}
    return [order for order in full if kind_of(order.flavour) not in small]


def _is_larger(one: Flavour, other: Flavour) -> bool:
    cores, of_other = one.size.cpus, other.size.cpus
    return cores > of_other and one.price * of_other <= DEARER * other.price * cores


@dataclass(frozen=True)
class _Cheap:
    """bound: jobs that run anywhere, as if they ran on the clouds alone that are cheap for them. contested: those that
    are dearer on others."""

    bound: Mapping[Wanted, Wanted]
    contested: frozenset[Wanted]

    def only(self, left: Waiting) -> Waiting:
        """Those that run anywhere, bound."""
        return tuple((self.bound[one], jobs) for one, jobs in left if one in self.bound)

    def taken(
        self, planned: Iterable[Order], left: Waiting, shop: Shop, budget: int
    ) -> tuple[list[Order], Waiting, Shop, int]:
        """The orders for those who asked, who is left, and what may be ordered still."""
        asked = {one: wanted for wanted, one in self.bound.items()}
        found: list[Order] = []
        served: Counter[Wanted] = Counter()
        for order in planned:
            found.append(replace(order, shares=tuple((asked[one], jobs) for one, jobs in order.shares)))
            shop = shop.after(order)
            budget -= order.machines
            for wanted, jobs in found[-1].shares:
                served[wanted] += jobs * order.machines
        return found, packing.after(left, served), shop, budget


def _where_it_is_cheap(left: Sequence[tuple[Wanted, int]], catalogue: Catalogue) -> _Cheap:
    """For each of those that run anywhere."""
    flavours = catalogue.not_refused()
    rooms, needs = amounts.rooms(f.size for f in flavours), amounts.needs(one.size for one, _ in left)
    may = amounts.takes([one.placement for one, _ in left], [f.place for f in flavours])
    clouds = sorted({flavour.cloud for flavour in catalogue.flavours})
    prices, of = np.array([f.price for f in flavours]), np.array([clouds.index(f.cloud) for f in flavours], dtype=int)
    bound, contested = {}, set()
    for row, (wanted, _) in enumerate(left):
        copies = np.where(may[row], amounts.copies(needs[row], rooms), 0)
        least = np.full(len(clouds), inf)
        np.minimum.at(least, of, np.where(copies > 0, prices / np.maximum(copies, 1), inf))
        if np.isfinite(least).any():
            is_dear = least > DEARER * least.min()
            closed = {*wanted.placement.closed, *(cloud for cloud, yes in zip(clouds, is_dear, strict=True) if yes)}
            placement = wanted.placement.model_copy(update={"closed": tuple(sorted(closed))})
            bound[wanted] = Wanted(wanted.demand, placement)
            if np.isfinite(least[is_dear]).any():
                contested.add(wanted)
    return _Cheap(bound, frozenset(contested))
