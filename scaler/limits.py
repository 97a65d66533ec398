"""Limits: what keeps the workers that waiting jobs need from being ordered. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from prominence.core.machines import Flavour, Worker
from prominence.scaler.catalogue import Catalogue, cloud_of, kind_of, wanted_kind
from prominence.scaler.policy import Policy
from prominence.scaler.pool import Pool


@dataclass(frozen=True)
class Limits:
    """As they stand after this round's orders. catalogue: what is left of it then."""

    pool: Pool
    catalogue: Catalogue
    policy: Policy
    ordered: int

    @property
    def is_full(self) -> bool:
        """There may be no further worker, wherever."""
        return self.pool.existing + self.ordered >= self.policy.max_workers

    def held_up(self) -> tuple[Flavour, ...]:
        """Flavours that could be ordered if only there were fewer workers."""
        return tuple(
            flavour for flavour in self.catalogue.not_refused() if self.is_full or self.catalogue.room_for(flavour) <= 0
        )

    def is_freed_by(self, worker: Worker, flavour: Flavour) -> bool:
        """Whether there may be one more of this flavour when that worker is gone."""
        cloud, kind = cloud_of(worker), wanted_kind(worker)
        of_cloud = self.catalogue.slots[flavour.cloud] > 0 or cloud == flavour.cloud
        left = self.catalogue.flavour_slots.get(kind_of(flavour), 1)
        return of_cloud and (left > 0 or kind == kind_of(flavour))
