"""What can be ordered, and why the rest cannot: flavours, limits of clouds, back-off after failures. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from prominence.core.machines import CloudStatus, Flavour, Size, Worker, WorkerPhase
from prominence.core.snapshot import PoolSnapshot, SeenFlavour
from prominence.scaler.policy import Policy

Kind = tuple[str, str]
"""Cloud and name of a flavour."""

_WORKED = (WorkerPhase.REGISTERED, WorkerPhase.DRAINING, WorkerPhase.DRAINED)


@dataclass(frozen=True)
class Catalogue:
    """flavours: all there are, with the size that their machines really have. refused: why some cannot be had now.

    slots: how many more workers each cloud takes. troubled: what is wrong with some clouds.
    """

    flavours: tuple[Flavour, ...]
    refused: Mapping[Kind, str]
    slots: Mapping[str, int]
    limits: Mapping[str, int]
    troubled: Mapping[str, str]

    def not_refused(self) -> tuple[Flavour, ...]:
        """What may be ordered as soon as there is a slot for it."""
        return tuple(flavour for flavour in self.flavours if kind_of(flavour) not in self.refused)

    def open(self) -> tuple[Flavour, ...]:
        """What may be ordered now."""
        return tuple(flavour for flavour in self.not_refused() if self.slots[flavour.cloud] > 0)

    def without(self, flavour: Flavour) -> Catalogue:
        """The same after one machine of this flavour was ordered."""
        return replace(self, slots={**self.slots, flavour.cloud: self.slots[flavour.cloud] - 1})

    def why_not(self, flavour: Flavour) -> str:
        """Why this one cannot be had now; "" when it can."""
        if refusal := self.refused.get(kind_of(flavour)):
            return refusal
        return "" if self.slots[flavour.cloud] > 0 else f"{flavour.cloud} has its {self.limits[flavour.cloud]} workers"

    def size_of(self, worker: Worker) -> Size:
        """The room that a worker will have once it is there."""
        wanted = wanted_kind(worker)
        known = next((flavour.size for flavour in self.flavours if kind_of(flavour) == wanted), None)
        return known or (worker.flavour.size if worker.flavour else worker.request.size)


def catalogue_of(snapshot: PoolSnapshot, policy: Policy, now: datetime) -> Catalogue:
    """The catalogue at this moment. Clouds and workers must be known."""
    clouds = sorted(snapshot.clouds or (), key=lambda cloud: cloud.name)
    workers = snapshot.workers or ()
    existing = Counter(cloud_of(worker) for worker in workers if not worker.phase.is_over)
    flavours = (flavour for cloud in clouds for flavour in cloud.flavours)
    troubled = {cloud.name: f"{cloud.name}: {cloud.error}" for cloud in clouds if _is_troubled(cloud, now)}
    refused = {
        kind_of(flavour): troubled[cloud.name]
        for cloud in clouds
        if cloud.name in troubled
        for flavour in cloud.flavours
    }
    return Catalogue(
        flavours=tuple(sorted((_as_seen(f, snapshot.seen_flavours) for f in flavours), key=_by_name)),
        refused={**_backed_off(workers, policy, now), **refused},
        slots={cloud.name: max(0, cloud.limit - existing[cloud.name]) for cloud in clouds},
        limits={cloud.name: cloud.limit for cloud in clouds},
        troubled=troubled,
    )


def kind_of(flavour: Flavour) -> Kind:
    """What a request names a flavour by."""
    return flavour.cloud, flavour.name


def wanted_kind(worker: Worker) -> Kind:
    """Of which flavour it is, or is to be."""
    return kind_of(worker.flavour) if worker.flavour else (worker.request.cloud, worker.request.flavour)


def cloud_of(worker: Worker) -> str:
    """Where it is or is to be; "" when that is open."""
    return wanted_kind(worker)[0]


def _by_name(flavour: Flavour) -> tuple[str, str, str]:
    return flavour.cloud, flavour.region, flavour.name


def _is_troubled(cloud: CloudStatus, now: datetime) -> bool:
    return bool(cloud.error) and (cloud.retry_at is None or cloud.retry_at > now)


def _as_seen(flavour: Flavour, seen: Iterable[SeenFlavour]) -> Flavour:
    """The flavour with the room that its machines showed. One that was declared anew is taken at its word."""
    total = next((one.total for one in seen if one.flavour == flavour), flavour.size)
    size = Size(
        cpus=min(flavour.size.cpus, total.cpus),
        memory_mib=min(flavour.size.memory_mib, total.memory_mib),
        disk_mib=min(flavour.size.disk_mib, total.disk_mib),
        gpus=min(flavour.size.gpus, total.gpus),
    )
    return flavour.model_copy(update={"size": size})


def _backed_off(workers: Iterable[Worker], policy: Policy, now: datetime) -> dict[Kind, str]:
    """Flavours whose workers keep failing, with the reason. A worker that came up since clears its flavour."""
    refused = {}
    for kind, failures in _failures(workers).items():
        last = failures[-1]
        until = last.phase_since + policy.backoff(len(failures))
        if until > now:
            refused[kind] = (
                f"{kind[1] or 'a machine'} on {kind[0] or 'any cloud'} failed {len(failures)} times,"
                f" the next try is at {until:%H:%M:%S} UTC ({last.reason or 'no reason given'})"
            )
    return refused


def _failures(workers: Iterable[Worker]) -> dict[Kind, list[Worker]]:
    """Failed workers by flavour, since one came up, in the order in which they failed."""
    failures: dict[Kind, list[Worker]] = defaultdict(list)
    for worker in sorted(workers, key=lambda worker: (worker.phase_since, worker.name)):
        if worker.phase is WorkerPhase.FAILED:
            failures[wanted_kind(worker)].append(worker)
        elif worker.phase in _WORKED:
            failures.pop(wanted_kind(worker), None)
    return failures
