"""What a cloud offers, and how much of it we may have: read when it is first needed, and anew when it is old."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from libcloud.compute.base import NodeImage

from prominence.core.errors import NoSuchFlavour, NoSuchImage
from prominence.core.machines import Flavour, Price, Quota
from prominence.imc.adapters.libcloud_provider import Offer, Provider
from prominence.imc.declared_machines import MachineSettings


@dataclass
class _Known:
    """offers, image: by the clock of `discover_s`, quota by that of `quota_s`."""

    offers: Mapping[str, Offer] = field(default_factory=dict)
    image: NodeImage | None = None
    discovered_at: float = 0.0
    quota: Quota = Quota()
    quota_at: float | None = None
    quota_tried_at: float | None = None


class Discovery:
    """Of one cloud. Libcloud's errors pass through."""

    def __init__(
        self,
        cloud: str,
        declared: MachineSettings,
        provider: Provider,
        clock: Callable[[], float],
        today: Callable[[], date],
    ) -> None:
        self._cloud = cloud
        self._declared = declared
        self._provider = provider
        self._clock = clock
        self._today = today
        self._known = _Known()
        self._lock = threading.Lock()

    def flavours(self, driver: Any) -> Sequence[Flavour]:
        """All that are used, each on all its markets, with today's prices."""
        self._look(driver)
        return [self._flavour(offer) for offer in self._known.offers.values()]

    def wanted(self, driver: Any, flavour: Flavour) -> tuple[Offer, NodeImage]:
        """What to make a machine of. Raises NoSuchFlavour; NoSuchImage."""
        self._look(driver)
        known = self._known
        if flavour.name not in known.offers:
            raise NoSuchFlavour(f"{self._cloud} has no flavour {flavour.name}")
        if known.image is None:
            raise NoSuchImage(f"{self._cloud} has no image as declared")
        return known.offers[flavour.name], known.image

    def forget(self) -> None:
        """It is not as we thought: look when it is needed next."""
        self._known.discovered_at = 0.0 - self._declared.discover_s

    def forget_quota(self) -> None:
        """It is not what we thought."""
        self._known.quota_tried_at = None

    def quota_is_due(self) -> bool:
        """It is to be read now. What cannot be had is tried again as late as what can."""
        now, tried = self._clock(), self._known.quota_tried_at
        if tried is not None and now - tried < self._declared.quota_s:
            return False
        self._known.quota_tried_at = now
        return True

    def read_quota(self, driver: Any) -> None:
        """From the cloud."""
        now = self._clock()
        self._known.quota = self._provider.quota(driver, self._provider.machines(driver))
        self._known.quota_at = now

    @property
    def quota(self) -> Quota:
        """As it was read last."""
        return self._known.quota

    @property
    def image(self) -> str:
        """For people; "" while it is not known."""
        image = self._known.image
        return f"{image.id} ({image.name})" if image else ""

    @property
    def prices(self) -> tuple[Price, ...]:
        """As declared."""
        return tuple(
            Price(flavour=said.flavour, per_hour=said.per_hour, valid_from=said.valid_from, market=said.market)
            for said in self._declared.prices
        )

    @property
    def ages_s(self) -> dict[str, float]:
        """Of what is known."""
        known, now = self._known, self._clock()
        ages = dict.fromkeys(("flavours", "image"), now - known.discovered_at) if known.offers else {}
        return ages if known.quota_at is None else {**ages, "quota": now - known.quota_at}

    def _look(self, driver: Any) -> None:
        known = self._known
        if known.offers and self._clock() - known.discovered_at < self._declared.discover_s:
            return
        used = [size for size in self._provider.sizes(driver) if self._declared.uses(size.name)]
        offers = [Offer(size, market) for size in used for market in self._declared.markets]
        images = self._provider.images(driver)
        with self._lock:
            known.offers, known.image = {offer.name: offer for offer in offers}, images[0] if images else None
            known.discovered_at = self._clock()

    def _flavour(self, offer: Offer) -> Flavour:
        room = self._provider.size(offer.size)
        if self._declared.boot_volume_gib:
            room = room.model_copy(update={"disk_mib": self._declared.boot_volume_gib * 1024})
        return Flavour(
            cloud=self._cloud,
            region=self._declared.region,
            name=offer.name,
            size=room,
            price=self._declared.price(offer.size.name, offer.market, self._today()) or 0.0,
            market=offer.market,
        )
