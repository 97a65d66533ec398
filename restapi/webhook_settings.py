"""Settings about webhooks."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

from pydantic import Field, field_validator

from prominence.core.settings import Settings
from prominence.restapi.webhooks.addresses import Network


class WebhookSettings(Settings):
    """Programs of users that are called when their jobs have ended."""

    allowed_networks: tuple[str, ...] = Field(
        default=(),
        description="Networks of the site's own that may be called besides the public internet, also without "
        "encryption. Users can reach all that listens there.",
    )
    most: int = Field(default=10, ge=1, le=50, description="Webhooks that one user, or group, may have.")
    timeout_s: float = Field(default=10, gt=0, le=60, description="Seconds that a call may take in all.")
    ca_file: Path | None = Field(default=None, description="Certificates to trust; absent: the usual ones.")
    interval_s: float = Field(
        default=5, gt=0, le=3600, description="Seconds between looks for what is to be told, and after a first failure."
    )
    give_up_after_s: int = Field(default=86_400, ge=60, description="Seconds after which a call is not made again.")

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            try:
                ip_network(text)
            except ValueError:
                raise ValueError(f"{ascii(text)} must be a network such as 10.1.0.0/16, or one address") from None
        return texts

    @property
    def allowed(self) -> tuple[Network, ...]:
        """As networks."""
        return tuple(map(ip_network, self.allowed_networks))

    @property
    def within(self) -> timedelta:
        """For so long a call is tried."""
        return timedelta(seconds=self.give_up_after_s)
