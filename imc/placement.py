"""Where a worker could go: ranked offers, and for every flavour that is none the reason.

Two refusals differ: what can never be, because the flavour is too small, and what cannot be now, because a limit
is reached or the cloud had no success lately.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from prominence.core.machines import Flavour, Size, WorkerRequest


@dataclass(frozen=True)
class CloudView:
    """A cloud as placement sees it.

    occupied: workers and machines there. trouble: why nothing can be made there now. flavour_trouble: the same
    for single flavours, by name.
    """

    name: str
    flavours: tuple[Flavour, ...] = ()
    limit: int = 0
    occupied: int = 0
    trouble: str = ""
    flavour_trouble: Mapping[str, str] = field(default_factory=dict)


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
    offers: list[Flavour] = []
    refusals: list[Refusal] = []
    for cloud in clouds:
        if not cloud.flavours:
            refusals.append(Refusal(cloud.name, "", cloud.trouble or "it offers no flavours", never=False))
        for flavour in cloud.flavours:
            refusal = _refusal(request.size, flavour, cloud)
            if refusal:
                refusals.append(refusal)
            else:
                offers.append(flavour)
    return Placement(tuple(sorted(offers, key=lambda offer: _rank(request, offer))), tuple(refusals))


def _refusal(size: Size, flavour: Flavour, cloud: CloudView) -> Refusal | None:
    if not size.fits(flavour.size):
        return Refusal(cloud.name, flavour.name, _too_small(size, flavour.size), never=True)
    if cloud.trouble:
        return Refusal(cloud.name, "", cloud.trouble, never=False)
    if flavour.name in cloud.flavour_trouble:
        return Refusal(cloud.name, flavour.name, cloud.flavour_trouble[flavour.name], never=False)
    if cloud.occupied >= cloud.limit:
        return Refusal(cloud.name, "", f"{cloud.occupied} of {cloud.limit} workers exist", never=False)
    return None


def _rank(request: WorkerRequest, offer: Flavour) -> tuple[object, ...]:
    """What is preferred, then what is cheap, then what is small; names last, so that the order is one."""
    return (
        bool(request.flavour) and offer.name != request.flavour,
        bool(request.cloud) and offer.cloud != request.cloud,
        offer.price,
        offer.size.cpus,
        offer.size.memory_mib,
        offer.size.disk_mib,
        offer.cloud,
        offer.region,
        offer.name,
    )


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
