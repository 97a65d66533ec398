"""What can be ordered, and why the rest cannot: flavours, limits of clouds, back-off after failures. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np

from prominence.core.machines import CloudStatus, Flavour, Size, Worker, WorkerPhase
from prominence.core.placement import UNKNOWN_KIND, Area, Place, Placement
from prominence.core.reasons import Reason
from prominence.core.snapshot import PoolSnapshot, SeenFlavour
from prominence.scaler import amounts
from prominence.scaler.amounts import Numbers
from prominence.scaler.policy import Policy

Kind = tuple[str, str]
"""Cloud and name of a flavour."""

UNLIMITED = 1 << 40

_FAILED = WorkerPhase.FAILED
_WORKED = (WorkerPhase.REGISTERED, WorkerPhase.DRAINING, WorkerPhase.DRAINED)


class Offered(Flavour):
    """A flavour of which the kind is known: see `placement`."""

    kind: int

    @property
    def place(self) -> Place:
        return Place(self.cloud, self.region, self.kind)


class Refusal(NamedTuple):
    """Why a flavour cannot be had now. until: when it is tried again, where that is known."""

    reason: Reason
    sentence: str
    until: datetime | None = None


@dataclass(frozen=True)
class Catalogue:
    """flavours: all there are, with the size that their machines really have. refused: why some cannot be had now.

    slots: how many more workers each cloud takes; flavour_slots: and of a flavour, where there may not be any number.
    troubled: what is wrong with some clouds.
    """

    flavours: tuple[Flavour, ...]
    refused: Mapping[Kind, Refusal]
    slots: Mapping[str, int]
    limits: Mapping[str, int]
    flavour_slots: Mapping[Kind, int]
    flavour_limits: Mapping[Kind, int]
    troubled: Mapping[str, str]

    def not_refused(self) -> tuple[Flavour, ...]:
        """What may be ordered as soon as there is a slot for it."""
        return tuple(flavour for flavour in self.flavours if kind_of(flavour) not in self.refused)

    def open(self) -> tuple[Flavour, ...]:
        """What may be ordered now."""
        return tuple(flavour for flavour in self.not_refused() if self.room_for(flavour) > 0)

    def room_for(self, flavour: Flavour) -> int:
        """How many more workers of this flavour there may be."""
        of_cloud = self.slots[flavour.cloud]
        return min(of_cloud, self.flavour_slots.get(kind_of(flavour), of_cloud))

    def without(self, flavour: Flavour, machines: int = 1) -> Catalogue:
        """The same after machines of this flavour were ordered."""
        kind = kind_of(flavour)
        flavour_slots = {**self.flavour_slots}
        if kind in flavour_slots:
            flavour_slots[kind] -= machines
        slots = {**self.slots, flavour.cloud: self.slots[flavour.cloud] - machines}
        return replace(self, slots=slots, flavour_slots=flavour_slots)

    def only(self, flavours: Iterable[Flavour]) -> Catalogue:
        """As if there were these alone, and any number of them."""
        flavours = tuple(flavours)
        slots = dict.fromkeys((flavour.cloud for flavour in flavours), UNLIMITED)
        return replace(self, flavours=flavours, refused={}, slots=slots, flavour_slots={})

    def why_not(self, flavour: Flavour) -> Refusal | None:
        """Why this one cannot be had now; None when it can."""
        if refusal := self.refused.get(kind_of(flavour)):
            return refusal
        of_kind = f"for {flavour.name}, {flavour.cloud}"
        for name, left, limit in (
            (flavour.cloud, self.slots[flavour.cloud], self.limits[flavour.cloud]),
            (of_kind, self.room_for(flavour), self.flavour_limits.get(kind_of(flavour), 0)),
        ):
            if left <= 0:
                return Refusal(Reason.CLOUD_LIMIT, f"{name} has {limit - left} of {limit} workers")
        return None

    @cached_property
    def refusals(self) -> tuple[Refusal | None, ...]:
        """Why each flavour cannot be had now; None where it can."""
        return tuple(map(self.why_not, self.flavours))

    @cached_property
    def _rooms(self) -> Numbers:
        """A column for each flavour."""
        return np.ascontiguousarray(amounts.rooms(flavour.size for flavour in self.flavours).T)

    @cached_property
    def _places(self) -> tuple[Place, ...]:
        return tuple(flavour.place for flavour in self.flavours)

    def fitting(self, size: Size, placement: Placement) -> list[int]:
        """The numbers of the flavours on which such a job runs, whether they can be had or not."""
        fits = amounts.enough(self._rooms, amounts.needs((size,))[0].tolist())
        if not placement.is_anywhere:
            fits &= amounts.takes((placement,), self._places)[0]
        found: list[int] = np.flatnonzero(fits).tolist()
        return found

    def places(self) -> tuple[Place, ...]:
        """Where machines are offered; of clouds that offer none at present their names."""
        offered = tuple(flavour.place for flavour in self.flavours)
        named = {place.cloud for place in offered}
        return (*offered, *(Place(cloud) for cloud in self.limits if cloud not in named))

    def of_kinds(self, kinds: Collection[int] | None) -> tuple[str, ...]:
        """The names of the flavours of these kinds, as CLOUD/FLAVOUR; none: of all."""
        if kinds is None:
            return ()
        return tuple(f"{flavour.cloud}/{flavour.name}" for flavour in self.flavours if flavour.place.kind in kinds)

    def silent(self, area: Area) -> tuple[str, ...]:
        """What is wrong with clouds that do not say what they offer, and may be what is looked for."""
        offering = {flavour.cloud for flavour in self.flavours}
        return tuple(
            trouble
            for cloud, trouble in self.troubled.items()
            if cloud not in offering and (not area.sites or cloud in area.sites)
        )

    def size_of(self, worker: Worker) -> Size:
        """The room that a worker will have once it is there."""
        known = self._flavour_of(worker) or worker.flavour
        return known.size if known else worker.request.size

    def place_of(self, worker: Worker) -> Place:
        """Where a worker will be, as far as it is known."""
        offered = self._flavour_of(worker)
        known = worker.flavour or offered
        kind = offered.place.kind if offered else UNKNOWN_KIND
        return known.place._replace(kind=kind) if known else Place(worker.request.cloud, kind=kind)

    def standing(self, name: str | None) -> Flavour | None:
        """Of which flavour a worker without work is to be: of the one that is named, else the cheapest; None: of none.

        Unpriced ones cost the same: of these the smallest.
        """
        open_now = [f for f in self.open() if name is None or kind_of(f) == _named(name)]
        return min(open_now, key=lambda f: (f.price, f.size.cpus, f.size.memory_mib, _by_name(f)), default=None)

    def _flavour_of(self, worker: Worker) -> Flavour | None:
        return self._by_kind.get(wanted_kind(worker))

    @cached_property
    def _by_kind(self) -> dict[Kind, Flavour]:
        return {kind_of(flavour): flavour for flavour in reversed(self.flavours)}


def catalogue_of(snapshot: PoolSnapshot, policy: Policy, now: datetime) -> Catalogue:
    """The catalogue at this moment. Clouds and workers must be known."""
    clouds = sorted(snapshot.clouds or (), key=lambda cloud: cloud.name)
    workers = snapshot.workers or ()
    existing = Counter(wanted_kind(worker) for worker in workers if not worker.phase.is_over)
    on_cloud = Counter({cloud.name: 0 for cloud in clouds})
    for (cloud_name, _), machines in existing.items():
        on_cloud[cloud_name] += machines
    limits = {cloud.name: min(cloud.most, policy.cloud_limits.get(cloud.name, cloud.most)) for cloud in clouds}
    flavour_limits = {_named(name): limit for name, limit in policy.flavour_limits.items()}
    flavours = (flavour for cloud in clouds for flavour in cloud.flavours)
    seen = {(kind_of(one.flavour), one.flavour.size): one for one in snapshot.seen_flavours}
    troubled = {cloud.name: f"{cloud.name}: {cloud.error}" for cloud in clouds if _is_troubled(cloud, now)}
    refused = {
        kind_of(flavour): Refusal(Reason.NO_CAPACITY, troubled[cloud.name], cloud.retry_at)
        for cloud in clouds
        if cloud.name in troubled
        for flavour in cloud.flavours
    }
    return Catalogue(
        flavours=tuple(
            sorted((_of_kind(_as_seen(one, seen), snapshot.flavour_kinds) for one in flavours), key=_by_name)
        ),
        refused={**_backed_off(workers, policy, now), **refused},
        slots={cloud: max(0, limit - on_cloud[cloud]) for cloud, limit in limits.items()},
        limits=limits,
        flavour_slots={kind: max(0, limit - existing[kind]) for kind, limit in flavour_limits.items()},
        flavour_limits=flavour_limits,
        troubled=troubled,
    )


def kind_of(flavour: Flavour) -> Kind:
    """What a request names a flavour by."""
    return flavour.cloud, flavour.name


def wanted_kind(worker: Worker) -> Kind:
    """Of which flavour it is, or is to be."""
    flavour = worker.flavour
    return (flavour.cloud, flavour.name) if flavour else (worker.request.cloud, worker.request.flavour)


def cloud_of(worker: Worker) -> str:
    """Where it is or is to be; "" when that is open."""
    return wanted_kind(worker)[0]


def _named(name: str) -> Kind:
    """The kind that a policy names CLOUD/FLAVOUR."""
    cloud, _, flavour = name.partition("/")
    return cloud, flavour


def _by_name(flavour: Flavour) -> tuple[str, str, str]:
    return flavour.cloud, flavour.region, flavour.name


def _is_troubled(cloud: CloudStatus, now: datetime) -> bool:
    return bool(cloud.error) and (cloud.retry_at is None or cloud.retry_at > now)


def _as_seen(flavour: Flavour, seen: Mapping[tuple[Kind, Size], SeenFlavour]) -> Flavour:
    """The flavour with the room that its machines showed. One that was declared anew is taken at its word."""
    found = seen.get((kind_of(flavour), flavour.size)) if seen else None
    if found is None or found.flavour != flavour:
        return flavour
    total = found.total
    size = Size(
        cpus=min(flavour.size.cpus, total.cpus),
        memory_mib=min(flavour.size.memory_mib, total.memory_mib),
        disk_mib=min(flavour.size.disk_mib, total.disk_mib),
        gpus=min(flavour.size.gpus, total.gpus),
    )
    return flavour.model_copy(update={"size": size})


def _of_kind(flavour: Flavour, kinds: Mapping[str, int]) -> Flavour:
    kind = kinds.get(f"{flavour.cloud}/{flavour.name}", 0) if kinds else 0
    return Offered.model_construct(**dict(flavour), kind=kind) if kind else flavour


def _backed_off(workers: Collection[Worker], policy: Policy, now: datetime) -> dict[Kind, Refusal]:
    """Flavours whose workers keep failing, with the reason. A worker that came up since clears its flavour."""
    refused = {}
    for kind, failures in _failures(workers).items():
        last = failures[-1]
        until = last.phase_since + policy.backoff(len(failures))
        if until > now:
            sentence = (
                f"{kind[1] or 'a machine'} on {kind[0] or 'any cloud'} failed {len(failures)} times,"
                f" the next try is at {until:%H:%M:%S} UTC ({last.reason or 'no reason given'})"
            )
            refused[kind] = Refusal(Reason.BACK_OFF, sentence, until)
    return refused


def _failures(workers: Collection[Worker]) -> dict[Kind, list[Worker]]:
    """Failed workers by flavour, since one came up, in the order in which they failed."""
    failures: dict[Kind, list[Worker]] = defaultdict(list)
    failing = {wanted_kind(worker) for worker in workers if worker.phase is _FAILED}
    of_these = [worker for worker in workers if failing and wanted_kind(worker) in failing]
    for worker in sorted(of_these, key=lambda worker: (worker.phase_since, worker.name)):
        if worker.phase is _FAILED:
            failures[wanted_kind(worker)].append(worker)
        elif worker.phase in _WORKED:
            failures.pop(wanted_kind(worker), None)
    return failures
