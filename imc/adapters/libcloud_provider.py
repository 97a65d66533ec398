"""What `libcloud.LibcloudCloud` needs to know of one kind of cloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from libcloud.compute.base import Node as Machine
from libcloud.compute.base import NodeImage, NodeSize

from prominence.core.machines import Market, Quota, Size
from prominence.imc.adapters.cloud_errors import Table


@dataclass(frozen=True)
class Offer:
    """A size on one of a cloud's markets."""

    size: NodeSize
    market: Market

    @property
    def name(self) -> str:
        """Of the flavour that it is: no cloud's name for a size has a colon."""
        name = str(self.size.name)
        return f"{name}:{self.market}" if self.market is Market.SPOT else name


class Provider(Protocol):
    """One kind of cloud. The driver is Libcloud's, of this thread alone; its errors pass through."""

    errors: Table

    notices: str
    """Whose metadata service tells a machine that it is to be taken away; "": none does."""

    def check(self) -> None:
        """That the file has credentials; asks nobody. Raises CredentialsRefused."""

    def connect(self) -> Any:
        """A driver, with the credentials that are in the file now. Raises CredentialsRefused."""

    def machines(self, driver: Any) -> list[Machine]:
        """All that carry our pool's mark, and no others, on however many pages."""

    def is_leaving(self, machine: Machine) -> bool:
        """Its deletion is under way."""

    def fault(self, machine: Machine) -> str:
        """Why it did not come to be, or has ended, as the cloud tells; "" when it does not."""

    def was_taken(self, machine: Machine) -> bool:
        """It has ended because the cloud wanted it for somebody else, as the cloud tells. Not all do."""

    def sizes(self, driver: Any) -> list[NodeSize]:
        """All that it has."""

    def images(self, driver: Any) -> list[NodeImage]:
        """Those of which all is true that is said of the image, the newest first."""

    def quota(self, driver: Any, ours: Sequence[Machine]) -> Quota:
        """What the cloud lets us have, without what others use who share it with these machines of ours."""

    def size(self, offered: NodeSize) -> Size:
        """As a document."""

    def create(self, driver: Any, name: str, offer: Offer, image: NodeImage, user_data: str) -> None:
        """Ask for a machine with our marks."""

    def before_deletion(self, driver: Any, name: str, machine: Machine) -> None:
        """Mark what will be left of it."""

    def clear(self, driver: Any, name: str) -> None:
        """Remove what is left of machines of this name that are gone."""
