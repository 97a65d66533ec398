"""Clouds whose machines we make ourselves: what to make them of, what they cost, and what one kind has of its own."""

from __future__ import annotations

from datetime import date
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from prominence.core.machines import Market
from prominence.core.settings import Settings
from prominence.imc.declared_terms import NAME, CloudInitSettings


class ImageSettings(Settings):
    """The image that workers start from: one by its id, or the newest that matches."""

    id: str = Field(default="", description="Its id. Without one the newest image is taken of which all below is true.")
    name: str = Field(default="", description="Pattern of its name, with * and ?.")
    owner: str = Field(
        default="", description="The account or project that owns it, on Azure the gallery; on EC2 self, too."
    )
    architecture: str = Field(default="", description="As the cloud writes it: x86_64, arm64.")
    distribution: str = Field(default="", description="On OpenStack: its os_distro.")
    version: str = Field(default="", description="On OpenStack: its os_version.")

    @model_validator(mode="after")
    def _says_which(self) -> ImageSettings:
        if not self.id and not (self.name or self.distribution):
            raise ValueError("say which image: its id, or a name or a distribution to search for")
        return self


class PriceSettings(Settings):
    """What flavours cost from a day on."""

    flavour: str = Field(min_length=1, description="Name of a flavour, or a pattern with * and ?.")
    per_hour: float = Field(ge=0, description="In the site's currency.")
    valid_from: date = Field(default=date.min, description="Its first day; of those that have come the latest holds.")
    market: Market = Field(
        default=Market.ON_DEMAND,
        description="Of machines to keep, or of spot ones, which cost the same if nothing is said.",
    )


class MachineSettings(CloudInitSettings):
    """What all clouds have in common whose machines we make ourselves."""

    region: str = Field(pattern=NAME, description="The cloud's name for the region. Two regions are two clouds.")
    image: ImageSettings = Field(description="What workers start from.")
    flavours: tuple[str, ...] = Field(min_length=1, description="Those to use: names, or patterns with * and ?.")
    prices: tuple[PriceSettings, ...] = Field(default=(), description="What they cost; what is not said is free.")
    key: str = Field(
        default="",
        description="Name of a key pair of the cloud, for logins by people, on Google USER:KEY; empty: nobody's.",
    )
    network: str = Field(
        default="",
        description="Id of the network of workers; on EC2 that of a subnet, on "
        "Google the path of a network or subnetwork.",
    )
    security_groups: tuple[str, ...] = Field(
        default=(), description="On EC2 ids, on OpenStack names, on Google network tags; no inbound port is needed."
    )
    boot_volume_gib: int = Field(default=0, ge=0, description="Disk of workers; 0: as image or flavour say.")
    discover_s: float = Field(default=3600, gt=0, description="How old what is known of flavours and image may get.")
    quota_s: float = Field(default=300, gt=0, description="How old what is known of the cloud's quotas may get.")

    def uses(self, flavour: str) -> bool:
        """Whether workers may be of this flavour."""
        return any(fnmatchcase(flavour, pattern) for pattern in self.flavours)

    @property
    def markets(self) -> tuple[Market, ...]:
        """Where machines may be had."""
        return (Market.ON_DEMAND,)

    def price(self, flavour: str, market: Market, today: date) -> float | None:
        """What it costs today; of several that hold the one that came last. None: nothing is said.

        Spot machines of which nothing is said cost what others do: they never cost more.
        """
        held = [p for p in self.prices if p.valid_from <= today and fnmatchcase(flavour, p.flavour)]
        of_market = [p for p in held if p.market is market] or [p for p in held if p.market is Market.ON_DEMAND]
        return max(of_market, key=lambda price: price.valid_from).per_hour if of_market else None

    @model_validator(mode="after")
    def _prices_are_of_its_markets(self) -> Self:
        if Market.SPOT not in self.markets and any(price.market is Market.SPOT for price in self.prices):
            raise ValueError("has prices of spot machines, and uses none")
        return self


class SpotSettings(MachineSettings):
    """A cloud that has machines which are cheaper and may be taken away at any time."""

    spot: Literal["never", "prefer", "only"] = Field(
        default="never",
        description="Whether to take such machines: prefer takes others, too, when there are none of these or they are "
        "cheaper.",
    )

    @property
    def markets(self) -> tuple[Market, ...]:
        """Where machines may be had."""
        use: dict[str, tuple[Market, ...]] = {
            "never": (Market.ON_DEMAND,),
            "prefer": (Market.SPOT, Market.ON_DEMAND),
            "only": (Market.SPOT,),
        }
        return use[self.spot]


class EC2Settings(SpotSettings):
    """Amazon's cloud, or one that speaks as it does."""

    type: Literal["ec2"] = Field(description="Amazon EC2, or a cloud with its API.")
    profile: str = Field(default="default", description="Section of the credentials file, which is one of AWS's own.")
    endpoint: str = Field(default="", pattern=r"^(https?://[^/]+/?)?$", description="Another address than Amazon's.")
    public_address: bool = Field(default=False, description="Give workers a public address, where the subnet does not.")
    spot_max_price: float | None = Field(
        default=None, gt=0, description="The most to pay for a spot machine, per hour; absent: what others cost."
    )
    root_device: str = Field(default="/dev/xvda", description="Name of the disk that boot_volume_gib is for.")

    @model_validator(mode="after")
    def _pays_for_what_it_takes(self) -> Self:
        if self.spot_max_price is not None and Market.SPOT not in self.markets:
            raise ValueError("has a spot_max_price, and spot is never")
        return self


class GoogleSettings(SpotSettings):
    """A zone of a project on Google's cloud."""

    type: Literal["google"] = Field(description="Google Compute Engine.")
    project: str = Field(pattern=r"^[a-z][a-z0-9.:-]{4,62}[a-z0-9]$", description="Id of the project.")
    zone: str = Field(pattern=NAME, description="Zone of the region, as europe-west1-b. Two zones are two clouds.")
    boot_volume_gib: int = Field(default=30, ge=10, description="Disk of workers; those of Google's have none else.")
    public_address: bool = Field(default=False, description="Give workers a public address, where there is no NAT.")
    endpoint: str = Field(default="", pattern=r"^(https?://[^/]+/?)?$", description="Another address than Google's.")

    @model_validator(mode="after")
    def _zone_is_of_the_region(self) -> Self:
        if self.zone.rpartition("-")[0] != self.region:
            raise ValueError(f"the zone {self.zone} is not in the region {self.region}")
        return self


_AZURES_NAME = r"[A-Za-z0-9._()-]{1,90}"
_UNDER = rf"^/subscriptions/[0-9a-fA-F-]{{36}}/resourceGroups/{_AZURES_NAME}/providers"


class AzureSettings(SpotSettings):
    """A resource group on Azure, in one region."""

    type: Literal["azure"] = Field(description="Microsoft Azure.")
    subscription: str = Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", description="Its id.")
    resource_group: str = Field(pattern=rf"^{_AZURES_NAME}$", description="Where machines are made.")
    zone: str = Field(default="", pattern=r"^[1-9]?$", description="Zone of the region; empty: Azure chooses.")
    network: str = Field(
        pattern=rf"{_UNDER}/Microsoft\.Network/virtualNetworks/[^/]+/subnets/[^/]+$", description="Path of the subnet."
    )
    security_groups: tuple[
        Annotated[str, Field(pattern=rf"{_UNDER}/Microsoft\.Network/networkSecurityGroups/[^/]+$")], ...
    ] = Field(default=(), max_length=1, description="Path of one; none: the subnet's. No inbound port is needed.")
    key: str = Field(
        default="",
        pattern=r"^([a-z_][a-z0-9_-]{0,31}:(ssh-rsa|ssh-ed25519) [A-Za-z0-9+/=]+( [^\n]*)?)?$",
        description="USER:KEY of people who may log in; empty: nobody may.",
    )
    boot_volume_gib: int = Field(default=32, ge=10, description="Disk of workers, no smaller than the image.")
    disk_type: Literal["Standard_LRS", "StandardSSD_LRS", "Premium_LRS"] = Field(
        default="StandardSSD_LRS", description="Kind of that disk."
    )
    public_address: bool = Field(default=False, description="Give workers a public address, where there is no NAT.")
    spot_max_price: float | None = Field(
        default=None,
        gt=0,
        description="The most to pay for a spot machine, per hour in US dollars; absent: what others cost.",
    )
    endpoint: str = Field(default="", pattern=r"^(https?://[^/]+/?)?$", description="Another address than Azure's.")
    login_endpoint: str = Field(default="", pattern=r"^(https?://[^/]+/?)?$", description="The same, for its tokens.")

    @model_validator(mode="after")
    def _image_is_azures(self) -> Self:
        if self.image.id:
            if not self.image.id.startswith("/subscriptions/") and self.image.id.count(":") != 3:
                raise ValueError("image.id is a path from /subscriptions/ on, or PUBLISHER:OFFER:SKU:VERSION")
        elif not self.image.name or not self.image.owner:
            raise ValueError("image has an id, or a name and as owner the gallery that it is in")
        return self

    @model_validator(mode="after")
    def _pays_for_what_it_takes(self) -> Self:
        if self.spot_max_price is not None and Market.SPOT not in self.markets:
            raise ValueError("has a spot_max_price, and spot is never")
        return self


class OpenStackSettings(MachineSettings):
    """A project of an OpenStack cloud."""

    type: Literal["openstack"] = Field(description="An OpenStack cloud.")
    profile: str = Field(default="openstack", description="Entry of the credentials file, which is a clouds.yaml.")
    availability_zone: str = Field(default="", description="Nova's zone; empty: the cloud chooses.")
    config_drive: bool = Field(default=True, description="Give workers their user data on a disk, too.")
