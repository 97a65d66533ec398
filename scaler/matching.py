"""Which machines meet what jobs require, besides room and place: kinds of machines, for the decisions.

HTCondor's own library says whether a machine's ad meets a part of a job's Requirements, and the job the machine's
START. Of a flavour the ad is what its machines have shown lately, else what others of its cloud have, without what may
differ between flavours; what nobody knows rules nothing out, since a machine that is wrong is seen to be so when it has
joined.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import NamedTuple

from prominence.core import classads
from prominence.core.machines import Flavour, Worker
from prominence.core.placement import Area
from prominence.core.snapshot import Ad, Demand, ExecutePoint
from prominence.scaler import lifetimes
from prominence.scaler.clauses import told
from prominence.scaler.kinds import Candidate, Condition, Evaluate, Table, conditions, start_of

REMEMBERED = timedelta(hours=1)
"""How long what machines of a flavour showed is believed: what was wrong with them may have been put right."""

_MOST_ANSWERS = 100_000
_MOST_TOLD = 3
_TOLD_LATE = frozenset({classads.RUNTIMES.lower(), classads.STORAGE.lower()})
"""What a worker finds out about itself when it has joined already."""
_OF_FLAVOURS = re.compile(r"has_|cpu|microarch|detected|total|.*gpu", re.IGNORECASE)
_START = classads.START.lower()
_LEAVING = classads.LEAVING.lower()
_IDENTITY = classads.AUTHENTICATED_IDENTITY.lower()
_OF_THE_POOL = re.compile(rf'"[^"@\\]+@{classads.WORKER_DOMAIN}"')
_ANYBODY = f'"worker@{classads.WORKER_DOMAIN}"'
"""Workers differ in their names, and in nothing that jobs ask for."""

_NOBODY_KNOWS = Candidate((), frozenset())


class Seen(NamedTuple):
    """What was seen, and when."""

    machine: Candidate
    at: datetime


class _Told(NamedTuple):
    """What was told, and what is made of it."""

    advertised: Ad
    asked: frozenset[str]
    is_ours: bool
    machine: Candidate


class _Offer(NamedTuple):
    """A flavour, what a machine like those of it has shown, and what is made of it."""

    flavour: Flavour
    shown: Candidate
    machine: Candidate


class Matched(NamedTuple):
    """The same with kinds: of the machines, and of the demand those that meet it."""

    demand: tuple[Demand, ...]
    points: tuple[ExecutePoint, ...]
    flavour_kinds: dict[str, int]


class Matcher:
    """Remembers what it has found, and what machines have shown."""

    def __init__(self, evaluate: Evaluate) -> None:
        self._meets = lru_cache(maxsize=_MOST_ANSWERS)(evaluate)
        self._by_flavour: dict[str, Seen] = {}
        self._by_cloud: dict[str, Seen] = {}
        self._by_machine: dict[str, _Told] = {}
        self._offers: dict[str, _Offer] = {}

    def attributes(self, demand: Iterable[Demand]) -> frozenset[str]:
        """Of machines, that matter to these jobs."""
        return frozenset(name for one in demand for condition in conditions(one.ad) for name in condition.machine)

    def match(
        self,
        demand: Sequence[Demand],
        points: Sequence[ExecutePoint],
        ads: Mapping[str, Ad],
        flavours: Sequence[Flavour],
        workers: Sequence[Worker],
        now: datetime,
    ) -> Matched:
        """Of one moment. ads: what machines advertise of `attributes`, by their names."""
        self._learn(points, ads, workers, self.attributes(demand), now)
        known = self._by_machine
        machines = {one.name: known[one.name].machine if one.name in known else _NOBODY_KNOWS for one in points}
        offered_now = {name_of(flavour) for flavour in flavours}
        self._offers = {name: offer for name, offer in self._offers.items() if name in offered_now}
        # No machine has such a name: a cloud's name is in front.
        named = {name_of(flavour): flavour for flavour in flavours}
        machines |= {name: self._offered(flavour) for name, flavour in named.items()}
        good = lifetimes.good_for(demand, points, named, now)
        if good:
            machines = lifetimes.with_ends(machines, good)
            demand = _of_steps(demand, lifetimes.steps(good))
        alike = {id(machine): machine for machine in machines.values()}
        starts = frozenset(start for machine in alike.values() if (start := start_of(machine)))

        def required(one: Demand) -> Sequence[Condition]:
            of_ad = conditions(one.ad, starts)
            return (*of_ad, *lifetimes.conditions(one.walltimes, good)) if good else of_ad

        table = Table(self._meets, [required(one) for one in demand], machines)
        flavour_kinds = {name_of(flavour): table.kind(name_of(flavour)) for flavour in flavours}

        @cache
        def offered(area: Area) -> frozenset[int]:
            return frozenset(flavour_kinds[name_of(flavour)] for flavour in flavours if area.holds(flavour.place))

        return Matched(
            demand=_merged(_met(one, required(one), table, offered) for one in demand),
            points=tuple(_of_kind(point, table.kind(point.name)) for point in points),
            flavour_kinds={name: kind for name, kind in flavour_kinds.items() if kind},
        )

    def _learn(
        self,
        points: Sequence[ExecutePoint],
        ads: Mapping[str, Ad],
        workers: Sequence[Worker],
        asked: frozenset[str],
        now: datetime,
    ) -> None:
        placed = {worker.name: worker.flavour for worker in workers if worker.flavour}
        there = {point.name for point in points}
        self._by_machine = {name: known for name, known in self._by_machine.items() if name in there}
        for remembered in (self._by_flavour, self._by_cloud):
            for name in [name for name, seen in remembered.items() if now - seen.at > REMEMBERED]:
                del remembered[name]
        # Machines that are alike are one object.
        same = {known.machine: known.machine for known in self._by_machine.values()}
        by_flavour: dict[str, Candidate] = {}
        by_cloud: dict[str, Candidate] = {}
        for name in sorted(ads.keys() & there):
            flavour = placed.get(name)
            machine = self._told(name, ads[name], asked, flavour is not None, same)
            if flavour and not _is_leaving(machine):
                other = by_flavour.get(name_of(flavour), machine)
                by_flavour[name_of(flavour)] = by_cloud[flavour.cloud] = _better(other, machine)
        self._by_flavour |= {name: Seen(machine, now) for name, machine in by_flavour.items()}
        self._by_cloud |= {name: Seen(_of_any_flavour(machine), now) for name, machine in by_cloud.items()}

    def _told(
        self, name: str, advertised: Ad, asked: frozenset[str], is_ours: bool, same: dict[Candidate, Candidate]
    ) -> Candidate:
        """What a machine has told. Most tell what they told before."""
        known = self._by_machine.get(name)
        if known is None or known[:-1] != (advertised, asked, is_ours):
            machine = _candidate(advertised, asked, is_ours)
            known = self._by_machine[name] = _Told(advertised, asked, is_ours, same.setdefault(machine, machine))
        return known.machine

    def _offered(self, flavour: Flavour) -> Candidate:
        """What a machine of this flavour would advertise."""
        name = name_of(flavour)
        seen = self._by_flavour.get(name) or self._by_cloud.get(flavour.cloud)
        shown = seen.machine if seen else _NOBODY_KNOWS
        offer = self._offers.get(name)
        if offer is None or offer[:-1] != (flavour, shown):
            offer = self._offers[name] = _Offer(flavour, shown, _as_declared(flavour, shown))
        return offer.machine


def name_of(flavour: Flavour) -> str:
    """CLOUD/FLAVOUR."""
    return f"{flavour.cloud}/{flavour.name}"


def _as_declared(flavour: Flavour, shown: Candidate) -> Candidate:
    """A machine of this flavour, with what others have shown besides."""
    declared = {
        classads.CLOUD.lower(): classads.quote(flavour.cloud),
        classads.REGION.lower(): classads.quote(flavour.region),
        classads.FLAVOUR.lower(): classads.quote(flavour.name),
        classads.MARKET.lower(): classads.quote(flavour.market),
        _IDENTITY: _ANYBODY,
        classads.SLOT_TYPE.lower(): '"Partitionable"',
        classads.CPUS.lower(): str(flavour.size.cpus),
        classads.MEMORY.lower(): str(flavour.size.memory_mib),
        classads.DISK.lower(): str(flavour.size.disk_mib * 1024),
        classads.GPUS.lower(): str(flavour.size.gpus),
    }
    return Candidate(tuple(sorted({**dict(shown.ad), **declared}.items())), shown.known | frozenset(declared))


def _candidate(advertised: Ad, asked: frozenset[str], is_ours: bool) -> Candidate:
    """A machine that was asked for so much. One of ours may not have told all of it yet."""
    ad = {attribute.lower(): text for attribute, text in advertised}
    if _START in ad:
        ad[_START] = lifetimes.without_end(ad[_START])
    if _IDENTITY in ad and _OF_THE_POOL.fullmatch(ad[_IDENTITY]):
        ad[_IDENTITY] = _ANYBODY
    return Candidate(tuple(sorted(ad.items())), asked - (_TOLD_LATE - ad.keys()) if is_ours else asked)


def _is_leaving(machine: Candidate) -> bool:
    """Its cloud takes it away: that it takes no jobs any more says nothing of others like it."""
    return dict(machine.ad).get(_LEAVING, "").lower() == "true"


def _better(one: Candidate, other: Candidate) -> Candidate:
    """Of two machines that should be alike the one that can do more: with the other something may be wrong."""
    if one is other:
        return one

    def told(machine: Candidate) -> int:
        return sum(len(text) for name, text in machine.ad if name in _TOLD_LATE)

    return max(one, other, key=told)


def _of_any_flavour(machine: Candidate) -> Candidate:
    """What others of its cloud will advertise, too."""
    ad = tuple(item for item in machine.ad if not _OF_FLAVOURS.match(item[0]))
    return Candidate(ad, frozenset(name for name in machine.known if not _OF_FLAVOURS.match(name)))


def _met(one: Demand, required: Sequence[Condition], table: Table, offered: Callable[[Area], frozenset[int]]) -> Demand:
    """With the kinds of machines that meet it, and what is wrong with all others."""
    kinds = table.kinds(required)
    if kinds is None:
        return one
    placement = one.placement.model_copy(update={"kinds": kinds})
    there = offered(one.placement.requirements)
    unmet: dict[str, None] = {}
    brief: tuple[int, ...] = ()
    if there.isdisjoint(kinds):
        job = {name.lower(): text for name, text in one.ad}
        of_kinds = {kind: table.unmet(required, kind) for kind in sorted(there)}
        unmet = {_told(c, job): None for of_kind in of_kinds.values() for c in of_kind}
        brief = lifetimes.brief(of_kinds)
    return one.model_copy(update={"placement": placement, "unmet": tuple(unmet)[:_MOST_TOLD], "brief": brief})


def _of_steps(demand: Iterable[Demand], steps: Sequence[int]) -> list[Demand]:
    """The same, by the walltimes for which machines are good."""
    jobs: Counter[Demand] = Counter()
    for one in demand:
        of_step = {"walltimes": lifetimes.walltimes_of(one, steps), "walltime_s": None, "jobs": 1}
        jobs[one.model_copy(update=of_step)] += one.jobs
    return [one.model_copy(update={"jobs": count}) for one, count in jobs.items()]


def _told(condition: Condition, job: Mapping[str, str]) -> str:
    return "to be there for so long" if lifetimes.is_of_time(condition) else told(condition.clause, job)


def _merged(demand: Iterable[Demand]) -> tuple[Demand, ...]:
    """Those that meet the same machines together, and without their ads."""
    jobs: Counter[Demand] = Counter()
    digests: dict[Demand, set[str]] = defaultdict(set)
    for one in demand:
        alike = one.model_copy(update={"ad": (), "jobs": 1, "walltime_s": None})
        jobs[alike] += one.jobs
        digests[alike].add(dict(one.ad).get(classads.REQUIRES, "").strip('"'))
    others = Counter(_as_said(alike) for alike in jobs)
    return tuple(
        alike.model_copy(
            update={
                "jobs": count,
                "requirements": tuple(sorted(digests[alike])) if others[_as_said(alike)] > 1 else (),
            }
        )
        for alike, count in jobs.items()
    )


def _as_said(one: Demand) -> Hashable:
    return one.size, one.user, one.group, one.placement.as_said(), one.nodes, one.walltimes


def _of_kind(point: ExecutePoint, kind: int) -> ExecutePoint:
    return point if point.kind == kind else point.model_copy(update={"kind": kind})
