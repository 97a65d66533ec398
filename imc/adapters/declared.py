"""Clouds whose flavours and prices an operator declares: they themselves are asked for machines alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Generic, Protocol, TypeVar

from prominence.core.machines import Flavour, Price
from prominence.imc.adapters.listing import Listing
from prominence.imc.adapters.named import NamedCloud
from prominence.imc.ports import About, Terms

Seen = TypeVar("Seen")


class Kind(Protocol):
    """A kind of worker, as it is declared."""

    @property
    def name(self) -> str: ...

    @property
    def price(self) -> float: ...

    def offered(self, cloud: str) -> Flavour:
        """As a document of the cloud of this name."""


class Declared(Protocol):
    """Of such a cloud."""

    @property
    def terms(self) -> Terms: ...

    @property
    def poll_s(self) -> float: ...

    @property
    def flavours(self) -> Sequence[Kind]: ...


Settings = TypeVar("Settings", bound=Declared)


class DeclaredCloud(NamedCloud, Generic[Settings, Seen]):
    """Of ports.Cloud what follows from that. image: what workers start from. _there: the machines that were seen."""

    def __init__(self, name: str, declared: Settings, pool: str, clock: Callable[[], float], image: str = "") -> None:
        super().__init__(name, declared.terms)
        self._declared = declared
        self._pool = pool
        self._image = image
        self._there: Listing[list[Seen]] = Listing(clock, declared.poll_s)

    def flavours(self) -> Sequence[Flavour]:
        return [kind.offered(self._name) for kind in self._declared.flavours]

    def about(self) -> About:
        prices = (Price(flavour=one.name, per_hour=one.price, valid_from=date.min) for one in self._declared.flavours)
        age_s = self._there.age_s
        return About(image=self._image, prices=tuple(prices), ages_s={} if age_s is None else {"machines": age_s})
