"""Where a worker could go: ranked offers, and for every flavour that is none the reason.

Two refusals differ: what can never be, because the flavour is too small or in the wrong place, and what cannot be now,
because a limit is reached or the cloud had no success lately.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from prominence.core import classads
from prominence.core.machines import CloudStatus, Flavour, Market, Quota, Size, Tier, TrackRecord, WorkerRequest
from prominence.core.placement import Area


@dataclass(frozen=True)
class CloudView:
    """A cloud as placement sees it.

    occupied: workers and machines there; cpus, memory_mib: those of workers. trouble: why nothing can be made there
    now. flavour_trouble: the same for single flavours, by name. records: how single flavours did lately.
    """

    name: str
    flavours: tuple[Flavour, ...] = ()
    limit: int = 0
    occupied: int = 0
    cpu_limit: int | None = None
    cpus: int = 0
    memory_mib: int = 0
    quota: Quota = Quota()
    groups: tuple[str, ...] = ()
    tier: Tier = Tier.PRIVATE
    trouble: str = ""
    flavour_trouble: Mapping[str, str] = field(default_factory=dict)
    records: Mapping[str, TrackRecord] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """No worker more may be there."""
        return self.occupied >= self.most

    @property
    def most(self) -> int:
        """Workers there may be."""
        return _less(self.limit, self.quota.machines)

    @property
    def most_cpus(self) -> int | None:
        """CPUs that workers may have; None: any number."""
        return self.quota.cpus if self.cpu_limit is None else _less(self.cpu_limit, self.quota.cpus)


@dataclass(frozen=True)
class Refusal:
    """Why a flavour, or with flavour "" the whole cloud, is no offer."""

    cloud: str
    flavour: str
    reason: str
    never: bool


@dataclass(frozen=True)
class Placement:
    """Offers, the best first, and refusals."""

    offers: tuple[Flavour, ...]
    refusals: tuple[Refusal, ...]

    @property
    def is_hopeless(self) -> bool:
        """No flavour of any cloud will ever do."""
        return not self.offers and bool(self.refusals) and all(refusal.never for refusal in self.refusals)

    def explanation(self) -> str:
        """Why there is no offer, for people. When something is possible later, only that is told."""
        told = [r for r in self.refusals if r.never == self.is_hopeless]
        return "; ".join(dict.fromkeys(_sentence(refusal) for refusal in told)) or "no cloud offers anything"


def place(request: WorkerRequest, clouds: Sequence[CloudView]) -> Placement:
    """Every flavour of every cloud as an offer or a refusal."""
    offers: list[tuple[tuple[object, ...], Flavour]] = []
    refusals: list[Refusal] = []
    for cloud in clouds:
        if not cloud.flavours:
            refusals.append(Refusal(cloud.name, "", cloud.trouble or "it offers no flavours", never=False))
        for flavour in cloud.flavours:
            refusal = _refusal(request, flavour, cloud)
            if refusal:
                refusals.append(refusal)
            else:
                offers.append((_rank(request, flavour, cloud), flavour))
    return Placement(tuple(flavour for _, flavour in sorted(offers, key=lambda offer: offer[0])), tuple(refusals))


def ranked(request: WorkerRequest, clouds: Sequence[CloudView]) -> tuple[Flavour, ...]:
    """Every flavour that might ever be an offer, as `place` would rank them if all were."""
    possible = [
        (_rank(request, flavour, cloud), flavour)
        for cloud in clouds
        for flavour in cloud.flavours
        if not _never(request, flavour, cloud)
    ]
    return tuple(flavour for _, flavour in sorted(possible, key=lambda offer: offer[0]))


def first(possible: Sequence[Flavour], clouds: Mapping[str, CloudView]) -> Flavour | None:
    """The first of the ranked that can be had now: what `place` offers first."""
    shut = {name for name, cloud in clouds.items() if cloud.trouble or cloud.is_full}
    open_now = (flavour for flavour in possible if flavour.cloud not in shut)
    return next((flavour for flavour in open_now if _not_now(flavour, clouds[flavour.cloud]) is None), None)


def view(status: CloudStatus) -> CloudView:
    """Of a cloud as it was told."""
    return CloudView(
        name=status.name,
        flavours=status.flavours,
        limit=status.limit,
        occupied=status.occupied,
        cpu_limit=status.cpu_limit,
        cpus=status.cpus,
        memory_mib=status.memory_mib,
        quota=status.quota,
        groups=status.groups,
        tier=status.tier,
        trouble=status.error,
        flavour_trouble=status.troubles,
        records=status.records,
    )


def _refusal(request: WorkerRequest, flavour: Flavour, cloud: CloudView) -> Refusal | None:
    reason = _never(request, flavour, cloud)
    return Refusal(cloud.name, flavour.name, reason, never=True) if reason else _not_now(flavour, cloud)


def _never(request: WorkerRequest, flavour: Flavour, cloud: CloudView) -> str:
    if not request.within.holds(flavour.place):
        return _elsewhere(request.within, flavour)
    if request.flavours and f"{flavour.cloud}/{flavour.name}" not in request.flavours:
        return "is not one of those that its jobs can run on"
    if others := _shut_out(request, cloud):
        return f"is for the jobs of {' and '.join(cloud.groups)} and not for those of {' and '.join(others)}"
    if not request.size.fits(flavour.size):
        return _too_small(request.size, flavour.size)
    if cloud.cpu_limit is not None and flavour.size.cpus > cloud.cpu_limit:
        return f"has {flavour.size.cpus} CPUs where workers may have {cloud.cpu_limit} in all"
    return ""


def _not_now(flavour: Flavour, cloud: CloudView) -> Refusal | None:
    if cloud.trouble:
        return Refusal(cloud.name, "", cloud.trouble, never=False)
    if flavour.name in cloud.flavour_trouble:
        return Refusal(cloud.name, flavour.name, cloud.flavour_trouble[flavour.name], never=False)
    if cloud.is_full:
        return Refusal(cloud.name, "", f"{cloud.occupied} of {cloud.most} workers exist", never=False)
    for unit, has, needs, most in (
        ("CPUs", cloud.cpus, flavour.size.cpus, cloud.most_cpus),
        ("MiB of memory", cloud.memory_mib, flavour.size.memory_mib, cloud.quota.memory_mib),
    ):
        if most is not None and has + needs > most:
            reason = f"the {most} {unit} that workers may have would be exceeded by {has + needs - most}"
            return Refusal(cloud.name, flavour.name, reason, never=False)
    return None


def _less(limit: int, told: int | None) -> int:
    """What we allow ourselves, or what the cloud does."""
    return limit if told is None else min(limit, told)


def _rank(request: WorkerRequest, offer: Flavour, cloud: CloudView) -> tuple[object, ...]:
    """What is preferred, then whose cloud it is, then what is cheap, of one price spot, does well, is small.

    Names come last, so that the order is one. Of how flavours did only what differs much counts.
    """
    record = cloud.records.get(offer.name, TrackRecord())
    return (
        bool(request.flavour) and offer.name != request.flavour,
        bool(request.cloud) and offer.cloud != request.cloud,
        tuple(Tier).index(cloud.tier),
        offer.price,
        offer.market is not Market.SPOT,
        -round(record.joined, 1),
        round(record.boot_s / 60),
        offer.size.cpus,
        offer.size.memory_mib,
        offer.size.disk_mib,
        offer.cloud,
        offer.region,
        offer.name,
    )


def _shut_out(request: WorkerRequest, cloud: CloudView) -> list[str]:
    """Groups that the worker is for and that may have none there."""
    if not cloud.groups:
        return []
    allowed = {classads.accounting_name(group) for group in cloud.groups}
    return [group or "no group" for group in request.groups if group not in allowed]


def _elsewhere(area: Area, flavour: Flavour) -> str:
    if area.sites and flavour.cloud not in area.sites:
        return f"is not on cloud {' or '.join(area.sites)}"
    return f"is in region {flavour.region or '(none)'} and not in {' or '.join(area.regions)}"


def _too_small(needed: Size, offered: Size) -> str:
    parts = [
        f"{has} {unit} where {needs} are needed"
        for unit, has, needs in (
            ("CPUs", offered.cpus, needed.cpus),
            ("MiB of memory", offered.memory_mib, needed.memory_mib),
            ("MiB of disk", offered.disk_mib, needed.disk_mib),
            ("GPUs", offered.gpus, needed.gpus),
        )
        if needs > has
    ]
    return "has " + ", ".join(parts)


def _sentence(refusal: Refusal) -> str:
    where = f"{refusal.cloud}/{refusal.flavour}" if refusal.flavour else refusal.cloud
    return f"{where}: {refusal.reason}"
