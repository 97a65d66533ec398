"""What is declared of every cloud, whatever its kind: how it may be used, and for some how its machines are made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from prominence.core.machines import Tier
from prominence.core.placement import PLACE_NAME
from prominence.core.settings import Settings
from prominence.core.validation import Spelling
from prominence.imc.installing import InstallSettings
from prominence.imc.ports import Terms

NAME = rf"^{PLACE_NAME}$"
NAME_OR_NONE = rf"^({PLACE_NAME})?$"

CloudName = Annotated[
    str, Spelling(PLACE_NAME, "a cloud's name has letters, digits, dots, hyphens and underscores, at most 63")
]

GroupName = Annotated[str, Field(min_length=1, max_length=256)]


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class TermsSettings(Settings):
    """How a cloud may be used."""

    tier: Tier = Field(
        default=Tier.PRIVATE, description="Whose it is. The next tier is used when the one before has no room."
    )
    limit: int = Field(default=4, ge=0, description="Workers that may exist at once.")
    cpu_limit: int | None = Field(default=None, ge=0, description="CPUs that workers may have in all.")
    groups: tuple[GroupName, ...] = Field(
        default=(), description="Groups whose jobs alone may have workers there, and run on them; none: all jobs."
    )
    probation: int | None = Field(
        default=None,
        gt=0,
        description="Machines that are tried at once of a flavour, and on the cloud, of which none has joined the pool "
        "lately; none: any number.",
    )
    join_s: int | None = Field(
        default=None, gt=0, description="Another deadlines.join_s for its workers; virtual machines boot slowly."
    )

    @property
    def terms(self) -> Terms:
        """The same for the port."""
        return Terms(self.limit, self.cpu_limit, self.tier, self.join_s, self.groups, self.probation)


class CloudInitSettings(TermsSettings):
    """What all clouds have in common whose machines become workers by cloud-init."""

    probation: int | None = Field(
        default=3,
        gt=0,
        description="Machines that are tried at once of a flavour, and on the cloud, of which none has joined the pool "
        "lately.",
    )
    credentials_file: AbsolutePath = Field(description="File that holds the credentials, which imc alone can read.")
    install: InstallSettings | None = Field(
        default=None,
        description="For an image of a distribution as it is; absent: the image has all that a worker needs.",
    )
    poll_s: float = Field(default=10, ge=0, description="How old what is known of machines may get, when all is well.")
    timeout_s: float = Field(default=20, gt=0, description="For each request to the cloud.")
    settle_s: float = Field(default=60, ge=0, description="How long to wait for a new machine to start or to fail.")
