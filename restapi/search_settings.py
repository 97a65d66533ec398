"""Settings of the store of usage that speaks as Elasticsearch does."""

from __future__ import annotations

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from prominence.core.settings import Settings


class ElasticsearchSettings(Settings):
    """An Elasticsearch in which usage is kept, too, for Kibana and for those who ask."""

    urls: tuple[str, ...] = Field(min_length=1, description="Address of each node that is to be asked.")
    ca_file: Path | None = Field(default=None, description="Certificates to trust for it; absent: the usual ones.")
    api_key_file: Path | None = Field(default=None, description="File with an API key, in base64 as Kibana shows it.")
    user: str | None = Field(default=None, description="Or the name of a user, ...")
    password_file: Path | None = Field(default=None, description="... and the file with their password.")
    index: str = Field(
        default="prominence",
        pattern=r"^[a-z][a-z0-9_.-]{0,99}$",
        description="What the names of its indices begin with (prominence-usage-...). Each access point needs one of "
        "its own.",
    )

    @field_validator("urls")
    @classmethod
    def _are_addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
                raise ValueError("each must be an http:// or https:// address, without a user and password in it")
        return urls

    @model_validator(mode="after")
    def _says_who_it_is_in_one_way(self) -> Self:
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file belong together")
        if self.user is not None and self.api_key_file is not None:
            raise ValueError("give an API key, or a user and their password, not both")
        if (self.user or self.api_key_file) and any(map(_can_be_overheard, self.urls)):
            raise ValueError("a password or key goes to https:// addresses only")
        return self

    @property
    def called(self) -> str:
        """A name for it, which changes when another one is meant."""
        return f"{self.index} at {' '.join(sorted(self.urls))}"


def _can_be_overheard(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")
