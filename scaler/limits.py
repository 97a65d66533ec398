"""Limits: what keeps the workers that waiting jobs need from being ordered. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from prominence.core.machines import Flavour
from prominence.scaler.catalogue import Catalogue
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
            flavour
            for flavour in self.catalogue.not_refused()
            if self.is_full or self.catalogue.slots[flavour.cloud] == 0
        )
