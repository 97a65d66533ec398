"""Settings about messages to users."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from prominence.core.notifications import EmailAddress
from prominence.core.settings import Settings

_PORTS = {"none": 25, "starttls": 587, "tls": 465}


class MailSettings(Settings):
    """A mail server by which users are told that their jobs have ended."""

    host: str = Field(min_length=1, description="The mail server that messages are handed to.")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="Its port; absent: 587, with tls 465, without either 25."
    )
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the connection to it is encrypted: begun so (tls), turned so, or not."
    )
    ca_file: Path | None = Field(default=None, description="Certificates to trust for it; absent: the usual ones.")
    username: str | None = Field(default=None, description="Whom to log in as; absent: without a login.")
    password_file: Path | None = Field(default=None, description="File with the password.")
    timeout_s: float = Field(default=30, gt=0, le=300, description="Seconds to wait for each of its answers.")
    sender: EmailAddress = Field(description="The address that messages come from.")
    addresses: dict[str, EmailAddress] = Field(
        default_factory=dict,
        description="By user: the address of somebody whose login tells none, or another one.",
    )
    interval_s: float = Field(default=10, gt=0, le=3600, description="Seconds between looks for jobs that have ended.")
    give_up_after_s: int = Field(
        default=86_400, ge=60, description="Seconds after a job's end when nobody is told of it any more."
    )

    @model_validator(mode="after")
    def _keeps_the_password(self) -> Self:
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file belong together")
        if self.password_file is not None and self.security == "none":
            raise ValueError("a password goes over an encrypted connection only: security must be starttls or tls")
        return self

    @property
    def port_in_use(self) -> int:
        """The one that is meant."""
        return self.port or _PORTS[self.security]

    @property
    def within(self) -> timedelta:
        """For so long news of a job's end are news."""
        return timedelta(seconds=self.give_up_after_s)
